/** The file `meta.properties` in a data directory: whose it is (Kafka's MetaProperties, version 1). */
export interface MetaProperties {
  readonly clusterId: string
  readonly nodeId: number
  readonly directoryId: string
}

export function formatMetaProperties({ clusterId, nodeId, directoryId }: MetaProperties): string {
  return `#\n#\ncluster.id=${clusterId}\ndirectory.id=${directoryId}\nnode.id=${nodeId}\nversion=1\n`
}

/** Returns what is wrong as text when the file is not a version 1 meta.properties. */
export function parseMetaProperties(text: string): MetaProperties | string {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const at = trimmed.indexOf('=')
    if (at < 0) return `the line ${JSON.stringify(trimmed)} is not name=value`
    values.set(trimmed.slice(0, at).trim(), trimmed.slice(at + 1).trim())
  }
  const version = values.get('version')
  if (version !== '1') return `version ${version ?? 'is missing'}; expected 1`
  const clusterId = values.get('cluster.id')
  const nodeId = values.get('node.id')
  const directoryId = values.get('directory.id')
  if (clusterId === undefined || clusterId === '') return 'cluster.id is missing'
  if (nodeId === undefined || !/^\d{1,10}$/.test(nodeId)) return 'node.id is missing or not a number'
  if (directoryId === undefined) return 'directory.id is missing'
  return { clusterId, nodeId: Number(nodeId), directoryId }
}
