// Packs every published package as a release would (pnpm turns workspace:* into versions) and checks the tarball: publint for the manifest, attw for the types.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules', '.bin')
const pnpm = `pnpm@${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.pnpm}`
const tarballs = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
let failures = 0

for (const folder of readdirSync(join(root, 'packages'))) {
  const directory = join(root, 'packages', folder)
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  if (manifest.private) continue
  const tarball = join(tarballs, `${folder}.tgz`)
  execFileSync('npx', ['--yes', pnpm, 'pack', '--out', tarball], { cwd: directory, stdio: 'pipe' })
  check(`publint ${manifest.name}`, join(bin, 'publint'), ['run', '--strict', tarball])
  check(`attw ${manifest.name}`, join(bin, 'attw'), [tarball, '--profile', 'esm-only', '--format', 'ascii'])
}
rmSync(tarballs, { recursive: true })
process.exit(failures === 0 ? 0 : 1)

function check(name: string, command: string, args: string[]): void {
  try {
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
    console.log(`ok      ${name}`)
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    console.log(`FAILED  ${name}\n${stdout}${stderr}`)
    failures++
  }
}
