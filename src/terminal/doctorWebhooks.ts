import { type Webhook, webhookName } from '../domain/incidents/webhook.ts'
import { type Check, fine } from './doctorCheck.ts'

/** Time for the answer of a receiver. */
const patienceMs = 10_000
/** A shorter secret can be found by trying. */
const shortestSecret = 16

/** Looks whether receivers of webhooks can be reached. Nothing is sent: that could call somebody. */
export const checkWebhooks = async (receivers: readonly Webhook[]): Promise<Check[]> =>
  (await Promise.all(receivers.map(async (one) => [await reach(one), ...advise(one)]))).flat()

async function reach(webhook: Webhook): Promise<Check> {
  const name = webhookName(webhook)
  try {
    const response = await fetch(new URL(webhook.url).origin, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
    })
    await response.body?.cancel()
    return fine(`${name} can be reached`)
  } catch {
    return {
      what: `${name} cannot be reached`,
      fix: 'Check its url in notify.webhooks, and whether a firewall or the certificate is in the way.',
    }
  }
}

function advise(webhook: Webhook): Check[] {
  const name = webhookName(webhook)
  const { protocol, hostname } = new URL(webhook.url)
  const isLocal = /^(localhost|127\..*|\[::1\])$/.test(hostname)
  return [
    ...(protocol === 'http:' && !isLocal
      ? [{ what: `what goes to ${name} is not encrypted`, fix: 'Write an https address.', needed: false }]
      : []),
    ...(webhook.kind === 'json' && webhook.secret.length < shortestSecret
      ? [
          {
            what: `the secret of ${name} is short`,
            fix: 'Make a long one, here and at the receiver: openssl rand -hex 32',
            needed: false,
          },
        ]
      : []),
  ]
}
