import { parseArgs } from 'node:util'

export interface MainJobOptions {
  /** A file whose lines are streamed, `-` for standard input. */
  readonly file: string | undefined
  /** Stop after this many events are read; `undefined`: until interrupted. */
  readonly count: number | undefined
  /** A Kafka to use instead of the embedded broker. */
  readonly bootstrap: string | undefined
  /** A topic to use and keep; `undefined`: one of this run, deleted at its end. */
  readonly topic: string | undefined
  readonly help: boolean
}

export class UsageError extends Error {}

export const usage = `npm start -- [--file PATH] [--count N] [--bootstrap HOST:PORT] [--topic NAME]

  --file PATH            stream the lines of this file as well; - reads standard input
  --count N              stop after N events are read (default: run until interrupted)
  --bootstrap HOST:PORT  use this Kafka instead of the embedded broker
  --topic NAME           use this topic and keep it (default: a topic of this run, deleted at its end)`

/** @throws UsageError for an unknown option or a value that is not allowed; the message names it. */
export function parseOptions(args: readonly string[]): MainJobOptions {
  const { file, count, bootstrap, topic, help } = parse(args)
  return {
    file: present('file', file),
    count: parseCount(count),
    bootstrap: present('bootstrap', bootstrap),
    topic: present('topic', topic),
    help: help ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        file: { type: 'string' },
        count: { type: 'string' },
        bootstrap: { type: 'string' },
        topic: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n')[0]!.replace(/\. To specify.*$/, ''), { cause: error })
  }
}

function present(option: string, value: string | undefined): string | undefined {
  if (value === '') throw new UsageError(`--${option} is empty; give it a value`)
  return value
}

function parseCount(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const count = Number(value)
  if (!/^\d+$/.test(value) || count < 1 || !Number.isSafeInteger(count)) {
    throw new UsageError(`--count ${JSON.stringify(value)} is not allowed; expected a whole number from 1`)
  }
  return count
}
