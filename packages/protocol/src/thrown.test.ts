import { describe, expect, test } from 'vitest'
import { KafkaError, ProtocolError } from './kafka-error.ts'
import { asKafkaError, isA, messageOf, nameAndMessageOf } from './thrown.ts'

const refuse = (): never => {
  throw new Error('hands off')
}

/** Each refuses at another point: when asked for its prototype, its message, its name, its text, or the message's text. */
const HOSTILE: [what: string, thrown: unknown][] = [
  ['a proxy that refuses everything', new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse })],
  ['a revoked proxy', revoked()],
  ['an error whose properties throw', Object.defineProperties(new Error(), { message: { get: refuse }, name: { get: refuse } })],
  ['an object without a text', Object.create(null)],
  ['an error whose message has no text', Object.defineProperties(new Error(), { message: { value: { toString: refuse } } })],
]

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('what was thrown', () => {
  test.each<[unknown, message: string, named: string]>([
    [new TypeError('no such thing'), 'no such thing', 'TypeError: no such thing'],
    [new ProtocolError('CORRUPT_FRAME', 'cut short'), 'cut short', 'ProtocolError: cut short'],
    ['a string', 'a string', 'a string'],
    [undefined, 'undefined', 'undefined'],
    [null, 'null', 'null'],
    [7n, '7', '7'],
    [Symbol('s'), 'Symbol(s)', 'Symbol(s)'],
    [{ toString: () => 'an object' }, 'an object', 'an object'],
  ])('says what it has to say: %s', (thrown, message, named) => {
    expect(messageOf(thrown)).toBe(message)
    expect(nameAndMessageOf(thrown)).toBe(named)
  })

  test('is left as it is if it is one of ours', () => {
    const error = new ProtocolError('CORRUPT_FRAME', 'cut short')
    expect(asKafkaError(error)).toBe(error)
    expect(isA(error, KafkaError)).toBe(true)
  })

  test('becomes the cause of one of ours otherwise', () => {
    const thrown = new TypeError('no such thing')
    const error = asKafkaError(thrown)
    expect(error).toMatchObject({ code: 'UNEXPECTED_ERROR', message: 'no such thing', retriable: false, fatal: false })
    expect(error.cause).toBe(thrown)
    expect(isA(thrown, KafkaError)).toBe(false)
  })

  test.each(HOSTILE)('does no harm when it is %s', (_, thrown) => {
    expect(messageOf(thrown)).toBe('something that cannot be shown')
    expect(nameAndMessageOf(thrown)).toBe('something that cannot be shown')
    expect(isA(thrown, KafkaError)).toBe(false)
    const error = asKafkaError(thrown)
    expect(error).toBeInstanceOf(KafkaError)
    expect(error.code).toBe('UNEXPECTED_ERROR')
    expect(error.cause === thrown).toBe(true)
  })
})
