import { z } from 'zod'
import type { Webhook } from '../domain/incidents/webhook.ts'
import { configSection, required } from './parts.ts'

const urlHint = `Write an http or https address without user and password, best as \${NAME} from the environment.`

const url = z.string(required(urlHint)).refine(
  (text) => {
    const read = URL.canParse(text) ? new URL(text) : null
    return read !== null && /^https?:$/.test(read.protocol) && read.username === '' && read.password === ''
  },
  { error: urlHint },
)

const from = z.enum(['critical', 'warning'], { error: 'Write critical or warning.' }).optional()

const secretText = (hint: string) => z.string(required(hint)).min(1, { error: hint })

const pagerduty = configSection({
  kind: z.literal('pagerduty'),
  url: url.optional(),
  routingKey: secretText(
    `Write the integration key of the service ("Events API v2"), best as \${NAME} from the environment.`,
  ),
  from,
})

const json = configSection({
  kind: z.literal('json'),
  url,
  secret: secretText(
    `Write the secret with which the receiver checks the signature, best as \${NAME} from the environment.`,
  ),
  from,
})

const kindHint = 'Write kind: pagerduty or kind: json.'

/** Decides by `kind` which keys belong there, so that a problem names what is missing in this one. */
const webhook = z.unknown().transform((value, context): Webhook => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  const read =
    kind === 'pagerduty' ? pagerduty.safeParse(value) : kind === 'json' ? json.safeParse(value) : null
  if (!read) {
    context.addIssue({ code: 'custom', message: kindHint, path: ['kind'] })
    return z.NEVER
  }
  if (!read.success) {
    for (const issue of read.error.issues) context.addIssue({ ...issue, path: [...issue.path] })
    return z.NEVER
  }
  return read.data.kind === 'pagerduty'
    ? {
        url: 'https://events.pagerduty.com/v2/enqueue',
        ...defined(read.data),
        from: read.data.from ?? 'critical',
      }
    : { ...read.data, from: read.data.from ?? 'warning' }
})

const defined = <T extends { url?: string | undefined }>({ url: given, ...rest }: T) => ({
  ...rest,
  ...(given !== undefined && { url: given }),
})

/** Receivers outside of Slack. */
export const webhooks = z.array(webhook, {
  error: `Write a list of receivers, like [{ kind: pagerduty, routingKey: "\${PAGERDUTY_KEY}" }].`,
})
