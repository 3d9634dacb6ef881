import { GROUP_FLOW_MS, GROUP_HEARTBEAT_MS, GROUP_MEMBERS, GROUP_PARTITIONS } from '../limits.ts'
import { judged } from '../producing/verdict.ts'
import { succeeded, type Attempt } from '../run-client.ts'
import { median } from '../statistics.ts'
import { digits, markdownTable, type Row } from '../table.ts'
import type { GroupProtocol } from './commands.ts'
import { SIDES } from './members.ts'
import type { GroupRun, RebalanceResults } from './rebalance-bench.ts'

/** Java's time may be exceeded by so much. */
const RATIO_MOST = 2

const CHANGES = ['leave', 'join'] as const
const WHAT = { leave: 'one leaves', join: 'one joins' } as const
const NAMES: Readonly<Record<GroupProtocol, string>> = {
  range: 'classic, range',
  'cooperative-sticky': 'classic, cooperative-sticky',
  consumer: 'consumer (KIP-848)',
}

export function rebalanceTables(results: RebalanceResults): string {
  return [
    `${GROUP_MEMBERS} members on ${GROUP_PARTITIONS} partitions, heartbeats every ${GROUP_HEARTBEAT_MS} ms, a record to each partition every ${GROUP_FLOW_MS} ms.`,
    `### Until the group has settled\n\n${settleTable(results)}`,
    `### What stays goes on\n\n${flowTable(results)}`,
  ].join('\n\n')
}

function settleTable(results: RebalanceResults): string {
  const head = ['protocol, change', 'millrace, ms', 'java, ms', `millrace ÷ java, ≤ ${RATIO_MOST}`]
  const rows: Row[] = []
  for (const [protocol, sides] of results) {
    const row = (what: string, timeOf: (run: GroupRun) => number, isWanted: boolean): void => {
      const [own, java] = SIDES.map((side) => medianOf(sides.get(side), timeOf)) as [number, number]
      const ratio = own / java
      rows.push([
        `${NAMES[protocol]}: ${what}`,
        ms(own),
        ms(java),
        isWanted ? judged(ratio, { most: RATIO_MOST }) : digits(ratio),
      ])
    }
    for (const change of CHANGES) row(WHAT[change], (run) => run[change].settleMs, true)
    row(`${GROUP_MEMBERS} join at once`, ({ formMs }) => formMs, false)
  }
  return `${markdownTable(head, rows)}${failures(results)}`
}

/** Of the protocols that take away only what must move. */
function flowTable(results: RebalanceResults): string {
  const head = [
    'protocol, change, client',
    'untouched members',
    'they are told of partitions',
    'longest without records, ms',
    'of partitions that stay, ms',
    'of those that move, ms',
    'without a rebalance, ms',
  ]
  const rows: Row[] = []
  for (const [protocol, sides] of results) {
    if (protocol === 'range') continue
    for (const change of CHANGES) {
      for (const side of SIDES) {
        const of = (valueOf: (run: GroupRun) => number): number => medianOf(sides.get(side), valueOf)
        rows.push([
          `${NAMES[protocol]}: ${WHAT[change]}, ${side}`,
          ms(of((run) => run[change].untouched)),
          ms(of((run) => run[change].untouchedEvents)),
          ms(of((run) => run[change].untouchedGapMs)),
          ms(of((run) => run[change].keptGapMs)),
          ms(of((run) => run[change].movedGapMs)),
          ms(of((run) => run.rest.untouchedGapMs)),
        ])
      }
    }
  }
  return markdownTable(head, rows)
}

function failures(results: RebalanceResults): string {
  const lines = [...results].flatMap(([protocol, sides]) =>
    [...sides].flatMap(([side, attempts]) => {
      const failed = attempts.filter((attempt) => typeof attempt === 'string')
      return failed.length === 0 ? [] : [`\n- ${NAMES[protocol]}, ${side}: ${failed.length} of ${attempts.length} rounds failed`]
    }),
  )
  return lines.length === 0 ? '' : `\n${lines.join('')}`
}

function medianOf(attempts: readonly Attempt<GroupRun>[] | undefined, valueOf: (run: GroupRun) => number): number {
  return median(succeeded(attempts ?? []).map(valueOf))
}

function ms(value: number): string {
  return Number.isFinite(value) ? value.toFixed(0) : '–'
}
