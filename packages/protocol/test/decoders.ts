import { DATA_MESSAGES } from '../codegen/data-messages.ts'
import { kebabName } from '../codegen/schema.ts'
import { ALL_APIS } from '../src/generated/all-apis.ts'
import type { Reader } from '../src/wire/reader.ts'

export type Decode = (reader: Reader, version: number) => unknown

/** Every decoder that reads bytes from outside, by the name of its message. */
export async function allDecoders(): Promise<Map<string, Decode>> {
  const decoders = new Map<string, Decode>()
  for (const api of ALL_APIS) {
    decoders.set(`${api.name}Request`, (reader, version) => api.decodeRequest(reader, version))
    decoders.set(`${api.name}Response`, (reader, version) => api.decodeResponse(reader, version))
  }
  for (const [name, owner] of DATA_MESSAGES) {
    const file = `../../${owner}/src/generated/${kebabName(name)}.ts`
    const module = (await import(file)) as Record<string, unknown>
    decoders.set(name, module[`decode${name}`] as Decode)
  }
  return decoders
}
