// Members of a group in a process of its own: node worker.ts '<settings as JSON>'. Commands come on its standard input.
import { createInterface } from 'node:readline'
import type { Change, Formed, GroupProtocol, GroupSettings } from './commands.ts'
import { MemberGroup } from './member-group.ts'

const group = new MemberGroup(JSON.parse(process.argv[2]!) as GroupSettings)

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(line))}\n`)
}
process.exit(0)

async function run(line: string): Promise<Change | Formed | object> {
  const [command, first, second] = line.split(' ')
  switch (command) {
    case 'form':
      return group.form(first!, second as GroupProtocol)
    case 'rest':
      return group.rest(Number(first))
    case 'leave':
      return group.leave()
    case 'join':
      return group.join()
    case 'disband':
      await group.disband()
      return {}
    default:
      throw new Error(`no command ${line}`)
  }
}
