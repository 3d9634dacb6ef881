import { ErrorCode } from '@millrace/protocol'
import { describeClusterApi } from '@millrace/protocol/apis/describe-cluster'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import { checkOptions, waitOf, type CallOptions } from './context.ts'

export interface ClusterDescription {
  readonly clusterId: string
  /** The broker that speaks for the controller; null if there is none now. */
  readonly controller: ClusterNode | null
  readonly nodes: readonly ClusterNode[]
}

export interface ClusterNode {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  /** Registered, but not serving. Only seen with `includeFencedBrokers`. */
  readonly isFenced: boolean
}

export interface DescribeClusterOptions extends CallOptions {
  /** Also brokers that are registered and do not serve; needs Kafka 4.0. Default false. */
  readonly includeFencedBrokers?: boolean
}

/** See `Admin.describeCluster`. */
export async function describeCluster(client: ClusterClient, options: DescribeClusterOptions): Promise<ClusterDescription> {
  checkOptions(options, ['includeFencedBrokers'])
  const includeFencedBrokers = options.includeFencedBrokers ?? false
  const request = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers }
  const response = await client.send(describeClusterApi, request, 'any', waitOf(options))
  if (response.errorCode !== ErrorCode.NONE) throw errorAbout(response.errorCode, 'describing the cluster', response.errorMessage)
  const nodes = response.brokers.map(({ brokerId, host, port, rack, isFenced }) => ({ id: brokerId, host, port, rack, isFenced }))
  nodes.sort((a, b) => a.id - b.id)
  return { clusterId: response.clusterId, controller: nodes.find(({ id }) => id === response.controllerId) ?? null, nodes }
}
