// A broker on the directory that is given, which tells clients to come to the port that is given, for tests that kill it.
// Prints the port on which it really listens once it serves.
import { Broker } from '@millrace/broker'

const [dataDir, advertisedPort] = process.argv.slice(2)
const config = { 'num.partitions': 2 }
const broker = await Broker.start({ port: 0, dataDir: dataDir!, advertisedPort: Number(advertisedPort), config })
process.stdout.write(`${broker.port}\n`)
