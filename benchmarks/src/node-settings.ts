/**
 * What memory is measured with. V8 doubles its young generation whenever enough has survived in it, up to its limit (16 to 64 MiB by version, three times over):
 * most of what grows in a process that allocates.
 */
export const NODE_SETTINGS = [
  ["Node's defaults", []],
  ['`node --max-semi-space-size=4`', ['--max-semi-space-size=4']],
] as const
