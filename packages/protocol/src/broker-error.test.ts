import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BrokerError, errorFor, errorName } from './broker-error.ts'
import { ERROR_TABLE, ErrorCode } from './generated/error-table.ts'
import { KafkaError } from './kafka-error.ts'

const facts = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'schemas', 'errors.json'), 'utf8')) as {
  code: number
  name: string
  retriable: boolean
}[]

describe('the error table', () => {
  it('has every code of Kafka from -1 on, without a gap', () => {
    expect(facts.length).toBeGreaterThan(135)
    expect(facts.map((fact) => fact.code)).toEqual(facts.map((_, index) => index - 1))
    expect(ErrorCode).toEqual(Object.fromEntries(facts.map((fact) => [fact.name, fact.code])))
  })

  it('gives each code its name, and whether to try again', () => {
    for (const { code, name, retriable } of facts.filter((fact) => fact.code !== 0)) {
      expect(errorFor(code)).toMatchObject({ code: name, errorCode: code, retriable, fatal: false })
      expect(errorName(code)).toBe(name)
    }
  })

  it('says something else about each', () => {
    expect(new Set(ERROR_TABLE.map(([, , , message]) => message)).size).toBe(ERROR_TABLE.length)
  })
})

describe('errorFor', () => {
  it('is a KafkaError that carries what the broker said', () => {
    const error = errorFor(ErrorCode.TOPIC_ALREADY_EXISTS, "Topic 'orders' already exists.")
    expect(error).toBeInstanceOf(BrokerError)
    expect(error).toBeInstanceOf(KafkaError)
    expect(error.message).toBe(
      "TOPIC_ALREADY_EXISTS: a topic of this name exists already (the broker says: Topic 'orders' already exists.)",
    )
  })

  it.each([undefined, null, ''])('leaves out a message that is %s', (message) => {
    expect(errorFor(ErrorCode.NOT_COORDINATOR, message).message).toBe(
      'NOT_COORDINATOR: the broker is not the coordinator of this group or transactional id',
    )
  })

  it('takes a code from the future, and does not retry it', () => {
    expect(errorFor(31000)).toMatchObject({ code: 'UNKNOWN_ERROR_CODE_31000', errorCode: 31000, retriable: false })
    expect(errorName(31000)).toBe('UNKNOWN_ERROR_CODE_31000')
  })

  it('does not make an error of success', () => {
    expect(() => errorFor(0)).toThrow('error code 0 means that there is no error')
  })
})
