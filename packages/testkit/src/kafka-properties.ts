/** Each as `host:port`; without a host, any. */
export interface SingleNodeAddresses {
  readonly listener: string
  /** What clients are told to connect to. */
  readonly advertised: string
  readonly controllerListener: string
  /** Where the broker finds the controller, which is itself. */
  readonly controller: string
}

/** Properties of an Apache Kafka that is broker and controller in one, alone, and without security. */
export function singleNodeProperties(addresses: SingleNodeAddresses): Record<string, string> {
  const { listener, advertised, controllerListener, controller } = addresses
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${listener},CONTROLLER://${controllerListener}`,
    'advertised.listeners': `PLAINTEXT://${advertised}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  }
}
