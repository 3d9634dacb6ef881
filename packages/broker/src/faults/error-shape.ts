import { ZERO_UUID } from '@millrace/protocol'
import type { RequestContext } from '../core/handler.ts'
import { GROUP_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'

/** What a fault may be narrowed to, where the API has it. */
export type Selector = 'topic' | 'partition' | 'group'

/** One thing that a request asks for. null: it has none, or it names a topic id that this broker does not know. */
export interface Target {
  readonly topic: string | null
  readonly partition: number | null
  readonly group: string | null
}

export type Chosen = (target: Target) => boolean

/**
 * How the requests of one API are answered with an error: what they ask for, and well-formed replies in which the chosen part has the error
 * and the rest is really served. Each handler has one, beside it.
 */
export interface ErrorShape<Request, Response> {
  readonly selectors: readonly Selector[]
  targets(request: Request, context: RequestContext): Target[]
  /** What is left to serve; null when nothing is, and the handler is not called. */
  rest(request: Request, chosen: Chosen, errorCode: number, context: RequestContext): Request | null
  /** The reply with the errors. `served` is the handler's answer to the rest; null when there was none. */
  answer(served: Response | null, request: Request, chosen: Chosen, errorCode: number, context: RequestContext): Response
  /** Says in a reply who leads the partitions that it refuses for want of a leader, where the version has room for it (KIP-951). */
  nameLeaders?(response: Response, context: RequestContext): Response
}

/** What error messages say, where the reply has room for one. */
export const FAULT_MESSAGE = 'a fault that was set on this broker'

/** The one place where the topic of a request, named or (in newer versions) by id, is resolved. */
export function topicNameOf(topic: { name?: string | null; topicId?: string }, context: RequestContext): string | null {
  const { name, topicId = ZERO_UUID } = topic
  if (topicId !== ZERO_UUID) return context.broker.topics.byId(topicId)?.name ?? null
  return name ?? null
}

/** An API whose reply has one error for all of it. */
export function wholeErrors<Request, Response>(
  respond: (errorCode: number, request: Request, context: RequestContext) => Response,
  groupOf?: (request: Request) => string,
): ErrorShape<Request, Response> {
  return {
    selectors: groupOf === undefined ? [] : ['group'],
    targets: (request) => [{ topic: null, partition: null, group: groupOf?.(request) ?? null }],
    rest: () => null,
    answer: (_served, request, _chosen, errorCode, context) => respond(errorCode, request, context),
  }
}

export interface ItemErrors<Request, Response, Item, Answer> {
  readonly selectors: readonly Selector[]
  items(request: Request): readonly Item[]
  target(item: NoInfer<Item>, context: RequestContext): Target
  withItems(request: Request, items: Item[]): Request
  answers(response: Response): Answer[]
  failed(item: Item, errorCode: number, context: RequestContext): Answer
}

type Kind<Item> = Pick<ItemErrors<unknown, unknown, Item, unknown>, 'selectors' | 'target'>

/** Items that are ids of groups. */
export const GROUPS: Kind<string> = {
  selectors: ['group'],
  target: (group) => ({ topic: null, partition: null, group }),
}

/** Items with the name of a topic. */
export const TOPICS: Kind<{ readonly name: string }> = {
  selectors: ['topic'],
  target: ({ name }) => ({ topic: name, partition: null, group: null }),
}

/** Items that are configuration resources. */
export const RESOURCES: Kind<{ readonly resourceType: number; readonly resourceName: string }> = {
  selectors: ['topic', 'group'],
  target: ({ resourceType, resourceName }) => {
    const nameOf = (type: number): string | null => (resourceType === type ? resourceName : null)
    return { topic: nameOf(TOPIC_RESOURCE), partition: null, group: nameOf(GROUP_RESOURCE) }
  },
}

/** An API whose request is a list, and whose reply has an error for each item: chosen items are not served. */
export function itemErrors<Request, Response, Item, Answer>(
  parts: ItemErrors<Request, Response, Item, Answer>,
): ErrorShape<Request, Response> {
  return {
    selectors: parts.selectors,
    targets: (request, context) => parts.items(request).map((item) => parts.target(item, context)),
    rest(request, chosen, _errorCode, context) {
      return parts.withItems(
        request,
        parts.items(request).filter((item) => !chosen(parts.target(item, context))),
      )
    },
    answer(served, request, chosen, errorCode, context) {
      const response = served!
      for (const item of parts.items(request)) {
        if (chosen(parts.target(item, context))) parts.answers(response).push(parts.failed(item, errorCode, context))
      }
      return response
    },
  }
}

export interface PartitionErrors<Request, Response, Topic, Partition, TopicAnswer, Answer> {
  readonly groupOf?: (request: Request) => string
  topics(request: Request): readonly Topic[]
  withTopics(request: Request, topics: Topic[]): Request
  nameOf(topic: Topic | TopicAnswer): { name: string; topicId?: string }
  partitions(topic: Topic): readonly Partition[]
  withPartitions(topic: Topic, partitions: Partition[]): Topic
  indexOf(partition: Partition): number
  topicAnswers(response: Response): TopicAnswer[]
  topicAnswer(topic: Topic): TopicAnswer
  answers(topic: TopicAnswer): Answer[]
  failed(partition: Partition, errorCode: number): Answer
}

/** An API whose request lists topics with their partitions, and whose reply has an error for each partition: chosen ones are not served. */
export function partitionErrors<Request, Response, Topic, Partition, TopicAnswer, Answer>(
  parts: PartitionErrors<Request, Response, Topic, Partition, TopicAnswer, Answer>,
): ErrorShape<Request, Response> {
  const { groupOf } = parts
  /** The topic's partitions that are chosen, or those that are not. */
  const select = (request: Request, topic: Topic, chosen: Chosen, wanted: boolean, context: RequestContext): Partition[] => {
    const name = topicNameOf(parts.nameOf(topic), context)
    const group = groupOf?.(request) ?? null
    return parts.partitions(topic).filter((one) => chosen({ topic: name, partition: parts.indexOf(one), group }) === wanted)
  }
  return {
    selectors: groupOf === undefined ? ['topic', 'partition'] : ['topic', 'partition', 'group'],
    targets(request, context) {
      const group = groupOf?.(request) ?? null
      const targets = parts.topics(request).flatMap((topic) => {
        const name = topicNameOf(parts.nameOf(topic), context)
        return parts.partitions(topic).map((one) => ({ topic: name, partition: parts.indexOf(one), group }))
      })
      return targets.length === 0 && group !== null ? [{ topic: null, partition: null, group }] : targets
    },
    rest(request, chosen, _errorCode, context) {
      const topics = parts
        .topics(request)
        .map((topic) => parts.withPartitions(topic, select(request, topic, chosen, false, context)))
      return parts.withTopics(request, topics)
    },
    answer(served, request, chosen, errorCode, context) {
      const answered = parts.topicAnswers(served!)
      for (const topic of parts.topics(request)) {
        const failed = select(request, topic, chosen, true, context).map((one) => parts.failed(one, errorCode))
        if (failed.length === 0) continue
        const key = keyOf(parts.nameOf(topic))
        let answer = answered.find((one) => keyOf(parts.nameOf(one)) === key)
        if (answer === undefined) answered.push((answer = parts.topicAnswer(topic)))
        parts.answers(answer).push(...failed)
      }
      return served!
    },
  }
}

/** `partitionErrors` where request and reply call their lists `topics` and `partitions` and a topic's name `name`, as most do. */
export function namedPartitionErrors<
  Request extends { topics: Topic[] },
  Response extends { topics: TopicAnswer[] },
  Topic extends { name: string; topicId?: string; partitions: Partition[] },
  Partition,
  TopicAnswer extends { name: string; topicId?: string; partitions: Answer[] },
  Answer,
>(
  parts: Pick<
    PartitionErrors<Request, Response, Topic, Partition, TopicAnswer, Answer>,
    'groupOf' | 'indexOf' | 'topicAnswer' | 'failed'
  >,
): ErrorShape<Request, Response> {
  return partitionErrors({
    ...parts,
    topics: ({ topics }) => topics,
    withTopics: (request, topics) => ({ ...request, topics }),
    nameOf: (topic) => topic,
    partitions: ({ partitions }) => partitions,
    withPartitions: (topic, partitions) => ({ ...topic, partitions }),
    topicAnswers: ({ topics }) => topics,
    answers: ({ partitions }) => partitions,
  })
}

function keyOf({ name, topicId = ZERO_UUID }: { name: string; topicId?: string }): string {
  return `${topicId} ${name}`
}

export interface OverwrittenErrors<Request, Response> {
  readonly selectors: readonly Selector[]
  targets(request: Request, context: RequestContext): Target[]
  /** What is served: the request, unless serving it would change something after all. */
  rest?(request: Request, chosen: Chosen, context: RequestContext): Request
  /** Changes the chosen parts of the reply. */
  overwrite(response: Response, chosen: Chosen, errorCode: number, request: Request, context: RequestContext): Response
}

/** An API that changes nothing: it is served as always, and what was chosen is overwritten in the reply. */
export function overwrittenErrors<Request, Response>(parts: OverwrittenErrors<Request, Response>): ErrorShape<Request, Response> {
  return {
    selectors: parts.selectors,
    targets: (request, context) => parts.targets(request, context),
    rest: (request, chosen, _errorCode, context) => parts.rest?.(request, chosen, context) ?? request,
    answer: (served, request, chosen, errorCode, context) => parts.overwrite(served!, chosen, errorCode, request, context),
  }
}
