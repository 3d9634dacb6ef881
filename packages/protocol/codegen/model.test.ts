import { describe, expect, it } from 'vitest'
import { emitApiFile } from './emit-file.ts'
import { buildMessage, minimumBytes } from './model.ts'
import { camelName, kebabName, parseVersions } from './schema.ts'
import type { FieldSchema, MessageSchema } from './schema.ts'

function message(fields: FieldSchema[], structs: MessageSchema['structs'] = []): MessageSchema {
  return { name: 'ThingRequest', versions: '0-3', flexible: '2+', fields, structs }
}

const text: FieldSchema = { name: 'Text', type: 'string', versions: '0+' }

describe('parseVersions', () => {
  it.each([
    ['3', { min: 3, max: 3 }],
    ['0-4', { min: 0, max: 4 }],
    ['2+', { min: 2, max: Infinity }],
    ['none', null],
  ])('reads %s', (notation, range) => {
    expect(parseVersions(notation)).toEqual(range)
  })

  it.each(['', 'all', '1-', '-1', '1,2'])('refuses %j', (notation) => {
    expect(() => parseVersions(notation)).toThrow('not a version range')
  })
})

describe('names', () => {
  it.each([
    ['InitProducerId', 'init-producer-id', 'initProducerId'],
    ['KRaftVersionRecord', 'kraft-version-record', 'kRaftVersionRecord'],
    ['Fetch', 'fetch', 'fetch'],
  ])('of %s', (name, kebab, camel) => {
    expect([kebabName(name), camelName(name)]).toEqual([kebab, camel])
  })
})

describe('buildMessage', () => {
  it.each([
    [[{ ...text, type: 'varchar' }], 'unknown type varchar'],
    [[{ ...text, type: '[]Missing' }], 'unknown struct Missing'],
    [[{ ...text, versions: 'none' }], 'field Text has no version'],
    [[{ ...text, type: 'ThingRequest', fields: [text] }], 'struct ThingRequest is defined twice'],
  ])('refuses %j', (fields, reason) => {
    expect(() => buildMessage(message(fields), 'ThingRequest')).toThrow(reason)
  })

  it('knows in which versions a struct can occur', () => {
    const inner: FieldSchema = { name: 'Inner', type: '[]Part', versions: '1-2', fields: [text] }
    const { structs } = buildMessage(message([inner]), 'ThingRequest')
    expect(structs.get('Part')).toMatchObject({ min: 1, max: 2 })
  })

  it('knows how short an element can be', () => {
    const tagged: FieldSchema = { name: 'Tagged', type: 'int64', versions: '2+', taggedVersions: '2+', tag: 0 }
    const inner: FieldSchema = {
      name: 'Inner',
      type: '[]Part',
      versions: '0+',
      fields: [text, tagged, { ...text, name: 'Id', type: 'uuid', versions: '3+' }],
    }
    const built = buildMessage(message([inner]), 'ThingRequest')
    const bytes = [0, 1, 2, 3].map((version) => minimumBytes(built, { kind: 'struct', name: 'Part' }, false, version))
    expect(bytes).toEqual([2, 2, 1 + 1, 1 + 16 + 1])
  })
})

describe('emitApiFile', () => {
  const request = message([text])
  const response = { ...request, name: 'ThingResponse' }

  it('refuses an API whose request and response have different versions', () => {
    const other = { ...response, versions: '0-4' }
    expect(() => emitApiFile({ key: 1, name: 'Thing', request, response: other })).toThrow(
      'versions of request and response differ',
    )
  })

  it('refuses elements that take no bytes, which would let a count run free', () => {
    const empty: FieldSchema = { name: 'List', type: '[]Nothing', versions: '0+', fields: [{ ...text, versions: '1+' }] }
    const classic = { ...request, flexible: 'none', fields: [empty] }
    expect(() => emitApiFile({ key: 1, name: 'Thing', request: classic, response })).toThrow('elements that take no bytes')
  })

  it('gives both structs a prefix when request and response share a name', () => {
    const topics: FieldSchema = { name: 'Topics', type: '[]Topic', versions: '0+', fields: [text] }
    const file = emitApiFile({
      key: 1,
      name: 'Thing',
      request: { ...request, fields: [topics] },
      response: { ...response, fields: [topics] },
    })
    expect(file).toContain('export interface RequestTopic {')
    expect(file).toContain('export interface ResponseTopic {')
  })

  it('keeps the highest version apart when Kafka calls it unstable', () => {
    const file = emitApiFile({ key: 1, name: 'Thing', latestVersionUnstable: true, request, response })
    expect(file).toContain('maxVersion: 3,\n  maxStableVersion: 2,')
  })
})
