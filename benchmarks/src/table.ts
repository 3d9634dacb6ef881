export type Row = readonly (string | number)[]

/** A GitHub table; the first column is left-aligned, the others right. */
export function markdownTable(head: readonly string[], rows: readonly Row[]): string {
  const cells = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...cells.slice(1).map(line)].join('\n')
}

/** 1234567 as `1 235 k`, 950 as `950`. */
export function thousands(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value < 10_000) return value.toFixed(0)
  return `${Math.round(value / 1000)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')} k`
}

/** Three digits that count. */
export function digits(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toPrecision(3).replace(/e\+?(-?\d+)$/, 'e$1')
}

export function megabytes(bytes: number): string {
  return Number.isFinite(bytes) ? (bytes / 1024 / 1024).toFixed(0) : '–'
}
