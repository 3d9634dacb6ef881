/** As Node warns: on standard error unless the process says otherwise, and to `process.on('warning')`. */
export function warn(message: string): void {
  process.emitWarning(message, { type: 'MillraceWarning' })
}
