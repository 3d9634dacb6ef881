// A broker on the directory that is given, for tests that kill it. Prints its port once it serves.
import { Broker } from '../src/io/broker.ts'

const broker = await Broker.start({ port: 0, dataDir: process.argv[2]! })
process.stdout.write(`${broker.port}\n`)
