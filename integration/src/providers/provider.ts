/** Somewhere that a broker can be had from. The scenarios run on every one of them, through this interface alone. */
export interface Provider {
  /** As shown in the report. */
  readonly name: string
  /** Why it cannot be used on this machine, or undefined if it can. */
  available(): Promise<string | undefined>
  start(options?: StartOptions): Promise<RunningBroker>
}

export interface StartOptions {
  /** Kafka broker properties, by Kafka's names; an external broker has its own and ignores them. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface RunningBroker {
  /** `host:port`, or several with commas. */
  readonly bootstrapServers: string
  /** Ends the broker, in order or by SIGKILL, and starts it again on the same directory and port; where a provider can. */
  restart?(how: 'stop' | 'kill'): Promise<void>
  /** Frees everything that `start` took. */
  stop(): Promise<void>
}
