/**
 * What memory is measured with. V8 doubles its young generation whenever enough has survived in it, up to three times 32 or 64 MiB (by its version):
 * most of what grows in a process that allocates.
 */
export const NODE_SETTINGS = [
  ["Node's defaults", []],
  ['`node --max-semi-space-size=4`', ['--max-semi-space-size=4']],
] as const
