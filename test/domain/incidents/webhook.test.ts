import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import {
  type IncidentNews,
  incidentNews,
  receiversIn,
  type Told,
  type Webhook,
  webhookId,
  webhookName,
} from '../../../src/domain/incidents/webhook.ts'
import { idle, session } from '../../support/builders.ts'

const findings = {
  notice: { kind: 'idle', session: idle(1, 3600), seconds: 3600 },
  warning: { kind: 'longQuery', session: session(1), seconds: 3600 },
  critical: { kind: 'lockStorm', waiting: 20, why: '', suspects: [] },
} satisfies Record<string, Finding>

const at = (severity: keyof typeof findings, over: { by?: string; over?: boolean } = {}) => ({
  finding: findings[severity],
  acknowledgedBy: over.by ?? null,
  resolvedAt: over.over ? 1 : null,
})
const fromWarning = { from: 'warning', isQuiet: false } as const
const told = (severity: Told['severity'], acknowledgedBy: string | null = null): Told => ({
  severity,
  acknowledgedBy,
})

describe('incidentNews', () => {
  it.each([
    ['notice', 'warning', []],
    ['warning', 'critical', []],
    ['warning', 'warning', ['opened']],
    ['critical', 'critical', ['opened']],
    ['critical', 'warning', ['opened']],
  ] as const)('of a new incident that is %s, for a receiver from %s: %j', (severity, from, news) => {
    expect(incidentNews(null, at(severity), { from, isQuiet: false }).news).toEqual(news)
  })

  it('says once that it got worse, and not again after it was better', () => {
    const worse = incidentNews(told('warning'), at('critical'), fromWarning)
    expect(worse).toEqual({ news: ['gotWorse'], told: told('critical') })
    const better = incidentNews(worse.told, at('warning'), fromWarning)
    expect(better).toEqual({ news: [], told: told('critical') })
    expect(incidentNews(better.told, at('critical'), fromWarning).news).toEqual([])
  })

  it('says who acknowledged it, each person once; handing back is no news', () => {
    const taken = incidentNews(told('warning'), at('warning', { by: 'U0DANA' }), fromWarning)
    expect(taken).toEqual({ news: ['acknowledged'], told: told('warning', 'U0DANA') })
    expect(incidentNews(taken.told, at('warning', { by: 'U0DANA' }), fromWarning).news).toEqual([])
    expect(incidentNews(taken.told, at('warning', { by: 'U0DEVI' }), fromWarning).news).toEqual([
      'acknowledged',
    ])
    expect(incidentNews(taken.told, at('warning'), fromWarning)).toEqual({ news: [], told: told('warning') })
  })

  it('calls for what got worse after somebody took it', () => {
    expect(incidentNews(told('warning'), at('critical', { by: 'U0DANA' }), fromWarning).news).toEqual([
      'acknowledged',
      'gotWorse',
    ])
  })

  it('says that it is over to who heard that it began, and to nobody else', () => {
    expect(incidentNews(told('critical'), at('warning', { over: true }), fromWarning)).toEqual({
      news: ['resolved'],
      told: null,
    })
    expect(incidentNews(null, at('critical', { over: true }), fromWarning)).toEqual({ news: [], told: null })
  })

  it('calls nobody in a quiet time, and says what is still true after it', () => {
    const quiet = { from: 'warning', isQuiet: true } as const
    expect(incidentNews(null, at('critical'), quiet)).toEqual({ news: [], told: null })
    const held = incidentNews(told('warning'), at('critical'), quiet)
    expect(held).toEqual({ news: [], told: told('warning') })
    expect(incidentNews(held.told, at('critical'), fromWarning).news).toEqual(['gotWorse'])
    expect(incidentNews(told('warning'), at('warning', { over: true }), quiet).news).toEqual(['resolved'])
  })

  it('tells a story that begins with opened and ends with resolved, whatever happens', () => {
    const moment = fc.record({
      severity: fc.constantFrom('notice' as const, 'warning' as const, 'critical' as const),
      by: fc.option(fc.constantFrom('U0DANA', 'U0DEVI')),
      over: fc.boolean(),
      isQuiet: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.array(moment),
        fc.constantFrom('warning' as const, 'critical' as const),
        (moments, from) => {
          let heard: Told | null = null
          let isOpen = false
          const note = (event: IncidentNews) => {
            expect(event === 'opened').toBe(!isOpen)
            isOpen = event !== 'resolved'
          }
          for (const { severity, by, over, isQuiet } of moments) {
            const incident = at(severity, { over, ...(by && { by }) })
            const step = incidentNews(heard, incident, { from, isQuiet })
            for (const event of step.news) note(event)
            heard = step.told
            expect(heard !== null).toBe(isOpen)
            // The same look again is no news.
            expect(incidentNews(heard, incident, { from, isQuiet }).news).toEqual([])
          }
        },
      ),
    )
  })
})

describe('a receiver', () => {
  const json: Webhook = {
    kind: 'json',
    url: 'https://h.example.com/a?key=geheim',
    secret: 's',
    from: 'warning',
  }
  const pager: Webhook = {
    kind: 'pagerduty',
    url: 'https://p.example.com/x',
    routingKey: 'R1',
    from: 'critical',
  }

  it('is named by its origin alone', () => {
    expect(webhookName(json)).toBe('json https://h.example.com')
  })

  it('stays the same when its secret or its severity changes, and is another with another address or key', () => {
    expect(webhookId({ ...json, secret: 'other', from: 'critical' })).toBe(webhookId(json))
    expect(webhookId({ ...json, url: 'https://h.example.com/b' })).not.toBe(webhookId(json))
    expect(webhookId({ ...pager, routingKey: 'R2' })).not.toBe(webhookId(pager))
  })

  it('of several clusters is one', () => {
    expect(
      receiversIn([{ notify: { webhooks: [json, pager] } }, { notify: { webhooks: [{ ...json }] } }]),
    ).toEqual(
      new Map<string, Webhook>([
        [webhookId(json), json],
        [webhookId(pager), pager],
      ]),
    )
  })
})
