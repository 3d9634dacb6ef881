import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import type { KafkaRecord, RecordBatch, RecordHeaderInput, RecordInput, SealOptions } from '../src/index.ts'
import { readBatches } from '../src/index.ts'

/** The text in which vectors/java describes batches; see Vectors.java. */

const FILE = join(import.meta.dirname, 'java-batches.txt.br')

/** Bytes of one or more batches, and what Java reads in them: a line for each batch and each record. */
export interface JavaCase {
  readonly name: string
  readonly bytes: Buffer
  readonly lines: readonly string[]
}

export function readCommittedText(): string {
  return brotliDecompressSync(readFileSync(FILE)).toString('latin1')
}

export function writeCommittedText(text: string): void {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 }
  writeFileSync(FILE, brotliCompressSync(text, { params }))
}

export function parseCases(text: string): JavaCase[] {
  const cases: (JavaCase & { lines: string[] })[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('case ')) {
      const [, name = '', base64 = ''] = line.split(' ')
      cases.push({ name, bytes: Buffer.from(base64, 'base64'), lines: [] })
    } else if (line !== '') {
      cases.at(-1)!.lines.push(line)
    }
  }
  return cases
}

export function formatCase({ name, bytes, lines }: JavaCase): string {
  return [`case ${name} ${bytes.toString('base64')}`, ...lines, ''].join('\n')
}

/** What our reader reads in `bytes`, in the words of Java's. */
export async function describe(bytes: Buffer): Promise<string[]> {
  const lines: string[] = []
  for (const batch of readBatches(bytes)) {
    lines.push(describeBatch(batch))
    await batch.load()
    for (const record of batch) lines.push(describeRecord(record))
  }
  return lines
}

export function describeBatch(batch: RecordBatch): string {
  return [
    'batch',
    batch.baseOffset,
    batch.lastOffset,
    batch.partitionLeaderEpoch,
    batch.compression,
    batch.isLogAppendTime ? 'LogAppendTime' : 'CreateTime',
    batch.isTransactional,
    batch.isControl,
    batch.maxTimestamp,
    batch.producerId,
    batch.producerEpoch,
    batch.baseSequence,
    batch.lastSequence,
    batch.recordCount,
    batch.deleteHorizon ?? -1,
    batch.sizeInBytes,
    batch.crc,
  ].join(' ')
}

export function describeRecord(record: KafkaRecord): string {
  const headers = record.headers.flatMap(([name, value]) => [` ${encode(Buffer.from(name))}`, ` ${encode(value)}`])
  return `record ${record.offset} ${record.timestamp} ${encode(record.key)} ${encode(record.value)}${headers.join('')}`
}

/** The batch and record lines of one batch as what a builder is given. */
export function parseBatch(lines: readonly string[]): { records: RecordInput[]; options: SealOptions } {
  const [, baseOffset, , epoch, , timestampType, transactional, control, maxTimestamp, producerId, producerEpoch, sequence] =
    (lines[0] ?? '').split(' ')
  const options: SealOptions = {
    baseOffset: Number(baseOffset),
    partitionLeaderEpoch: Number(epoch),
    transactional: transactional === 'true',
    control: control === 'true',
    producerId: Number(producerId),
    producerEpoch: Number(producerEpoch),
    baseSequence: Number(sequence),
    ...(timestampType === 'LogAppendTime' ? { logAppendTime: Number(maxTimestamp) } : {}),
  }
  return { records: lines.slice(1).map(parseRecord), options }
}

function parseRecord(line: string): RecordInput {
  const [, , timestamp, key = '', value = '', ...rest] = line.split(' ')
  const headers: RecordHeaderInput[] = []
  for (let i = 0; i < rest.length; i += 2) headers.push([String(decode(rest[i])), decode(rest[i + 1])])
  return { timestamp: Number(timestamp), key: decode(key), value: decode(value), headers }
}

/** "-" for null, otherwise "=" and base64. */
function encode(bytes: Buffer | null): string {
  return bytes === null ? '-' : `=${bytes.toString('base64')}`
}

function decode(field = '-'): Buffer | null {
  return field === '-' ? null : Buffer.from(field.slice(1), 'base64')
}
