import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { brokerProcess } from './broker-process.ts'

/** Where temporary directories are for this test alone. */
function ownTemporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-leftovers-'))
  vi.stubEnv('TMPDIR', directory)
  onTestFinished(() => {
    vi.unstubAllEnvs()
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

test('a broker that does not start leaves no directory behind', async () => {
  const directory = ownTemporaryDirectory()
  await expect(brokerProcess.start({ properties: { 'no.such.setting': '1' } })).rejects.toThrow('before it served')
  expect(readdirSync(directory)).toEqual([])
})

test('a broker that does not start again can be stopped, and leaves no directory behind', async () => {
  const directory = ownTemporaryDirectory()
  const broker = await brokerProcess.start()
  const [dataDir] = readdirSync(directory)
  writeFileSync(join(directory, dataDir!, 'meta.properties'), 'version=nonsense\n')
  await expect(broker.restart!('kill')).rejects.toThrow('before it served')
  await broker.stop()
  expect(readdirSync(directory)).toEqual([])
})
