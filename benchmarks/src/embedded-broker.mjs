// The embedded broker in a process of its own: node embedded-broker.mjs '<options of Broker.start as JSON>'. It stops when its standard
// input ends. Plain JavaScript on the built packages, so that its memory is a user's and not a type stripper's.
import { connect } from 'node:net'
import { Broker } from '@millrace/broker'

const started = performance.now()
const broker = await Broker.start({ port: 0, ...JSON.parse(process.argv[2]) })
await firstAnswer(broker.port)
const startMs = performance.now() - started
process.stdout.write(`${JSON.stringify({ bootstrapServers: broker.bootstrapServers, startMs })}\n`)
process.stdin.resume()
process.stdin.once('end', () => void broker.close().then(() => process.exit(0)))

/** Resolves when the broker has answered a request (ApiVersions v0, correlation id 1, no client id). */
function firstAnswer(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex'))
  })
}
