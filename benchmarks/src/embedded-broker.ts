// The embedded broker in a process of its own: node embedded-broker.ts DATA_DIR. It stops when its standard input ends.
import { Broker } from '@millrace/broker'
import { countBrokers } from '@millrace/testkit'

const started = performance.now()
const broker = await Broker.start({ port: 0, dataDir: process.argv[2]! })
await countBrokers('127.0.0.1', broker.port, 5_000)
const startMs = performance.now() - started
process.stdout.write(`${JSON.stringify({ bootstrapServers: broker.bootstrapServers, startMs })}\n`)
process.stdin.resume()
process.stdin.once('end', () => void broker.close().then(() => process.exit(0)))
