import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'

const CLI = fileURLToPath(new URL('cli.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function launch(...argv: string[]): { child: ChildProcess; ended: Promise<Ended>; line: Promise<string> } {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', CLI, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const line = new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve))
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
  return { child, ended, line }
}

function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function reach(address: string): Promise<void> {
  const [host, port] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

describe('millrace broker', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('says where it listens, serves, and stops cleanly on %s', async (signal) => {
    const dataDir = temporaryDirectory()
    const { child, ended, line } = launch('broker', '--port', '0', '--data', dataDir)
    const address = (await line).replace(/^listening on /, '')
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    await reach(address)
    child.kill(signal)
    expect(await ended).toEqual({ code: 0, stdout: `listening on ${address}\n`, stderr: '' })
  })

  test('a port or a directory in use is one line that names it, and exit code 1', async () => {
    const dataDir = temporaryDirectory()
    const first = launch('broker', '--port', '0', '--data', dataDir)
    const port = (await first.line).split(':').at(-1)!
    const samePort = await launch('broker', '--port', port).ended
    expect(samePort).toMatchObject({ code: 1, stdout: '' })
    expect(samePort.stderr).toMatch(
      new RegExp(`^millrace: port ${port} on 127\\.0\\.0\\.1 is in use: .*choose another port.*\\n$`),
    )
    const sameDirectory = await launch('broker', '--port', '0', '--data', dataDir).ended
    expect(sameDirectory).toMatchObject({ code: 1, stdout: '' })
    expect(sameDirectory.stderr).toBe(
      `millrace: ${dataDir} is in use by process ${first.child.pid}: close that broker first, or choose another directory\n`,
    )
  })

  test('wrong options go by their command-line names', async () => {
    const foreign = temporaryDirectory()
    writeFileSync(join(foreign, 'thesis.txt'), '')
    const cases: [string[], string][] = [
      [['--port', '70000'], 'millrace: --port: 70000 is not allowed; expected a whole number, 0 to 65535\n'],
      [['--partitions', '0'], 'millrace: --partitions: 0 is not allowed; expected a whole number, 1 to 10000\n'],
      [
        ['--config', 'colour=red'],
        'millrace: --config colour: "red" is not allowed; expected a broker configuration name that this broker honours\n',
      ],
      [['--prot', '1'], "millrace: Unknown option '--prot'; see millrace --help\n"],
      [
        ['--data', foreign],
        `millrace: ${foreign} is not empty and has no meta.properties: it is not a broker's. Choose an empty or new directory\n`,
      ],
    ]
    for (const [argv, stderr] of cases) expect(await launch('broker', ...argv).ended).toEqual({ code: 1, stdout: '', stderr })
  })
})

test('--help and --version', async () => {
  expect(await launch('--help').ended).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Usage: millrace broker'),
    stderr: '',
  })
  expect(await launch('--version').ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
})
