import { webApi } from '@slack/bolt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWorkspace, type Workspace } from '../src/index.ts'
import { manifest } from './manifest.ts'

const channel = 'C0INCIDENTS'
let workspace: Workspace
beforeAll(async () => {
  workspace = await createWorkspace({
    manifest,
    scopes: ['chat:write', 'users:read', 'usergroups:read', 'channels:read'],
  })
})
afterAll(() => workspace.close())

const clientOf = (token: string) =>
  new webApi.WebClient(token, {
    slackApiUrl: workspace.env.SLACK_API_URL,
    retryConfig: { retries: 0 },
    logger: Object.assign(Object.create(console), {
      error: () => {},
      warn: () => {},
      debug: () => {},
      info: () => {},
    }),
  })
type Refusal = { error: string; messages: readonly string[]; data: Record<string, unknown> }
const call = async (
  method: string,
  args: Record<string, unknown>,
  token = workspace.tokens.bot,
): Promise<Refusal> => {
  try {
    await clientOf(token).apiCall(method, args)
    return { error: 'ok', messages: [], data: {} }
  } catch (error) {
    const { data } = error as { data: { error: string; response_metadata?: { messages?: string[] } } }
    return { error: data.error, messages: data.response_metadata?.messages ?? [], data }
  }
}

const long = (length: number) => 'x'.repeat(length)
const plain = (text: string) => ({ type: 'plain_text', text })
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text })
const section = (text: string) => ({ type: 'section', text: mrkdwn(text) })
const button = (extra: object = {}) => ({ type: 'button', text: plain('Go'), action_id: 'go', ...extra })
const choice = { text: plain('One'), value: 'one' }
const actions = (...elements: object[]) => ({ type: 'actions', elements })
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index))
const raw = (text: string) => ({ type: 'raw_text', text })
const table = (rows: number, cells: number, text = 'x') => ({
  type: 'table',
  rows: times(rows, () => times(cells, () => raw(text))),
})
const points = (count: number, value = 1) => times(count, (index) => ({ label: `c${index}`, value }))
const chartOf = (chart: object, extra: object = {}) => ({
  type: 'data_visualization',
  title: 'Sessions',
  chart,
  ...extra,
})
const pie = (segments: object[]) => chartOf({ type: 'pie', segments })
const line = (series: object[], categories: string[], axis: object = {}) =>
  chartOf({ type: 'line', series, axis_config: { categories, ...axis } })
const names = (count: number) => points(count).map(({ label }) => label)
const one = (count: number, name = 'Lock') => ({ name, data: points(count) })
const rich = (...elements: object[]) => ({ type: 'rich_text', elements })
const confirm = (extra: object) => ({
  title: plain('Sure?'),
  text: mrkdwn('It ends'),
  confirm: plain('Yes'),
  deny: plain('No'),
  ...extra,
})

describe('blocks at the limit pass, one above is refused with a pointer to the fault', () => {
  test.each<[string, object[], object[], string]>([
    [
      'section text',
      [section(long(3000))],
      [section(long(3001))],
      'must be less than 3001 characters [json-pointer:/blocks/0/text/text]',
    ],
    [
      'empty text',
      [section('x')],
      [section('')],
      'must be more than 0 characters [json-pointer:/blocks/0/text/text]',
    ],
    [
      'characters, not UTF-16 units',
      [{ type: 'header', text: plain('🐘'.repeat(150)) }],
      [{ type: 'header', text: plain('🐘'.repeat(151)) }],
      'must be less than 151 characters [json-pointer:/blocks/0/text/text]',
    ],
    [
      'header is plain',
      [{ type: 'header', text: plain('a') }],
      [{ type: 'header', text: mrkdwn('a') }],
      'unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]',
    ],
    [
      'fields',
      [{ type: 'section', fields: times(5, () => mrkdwn(long(2000))) }],
      [{ type: 'section', fields: [mrkdwn(long(2001))] }],
      'must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]',
    ],
    [
      'number of fields',
      [{ type: 'section', fields: times(10, () => mrkdwn('a')) }],
      [{ type: 'section', fields: times(11, () => mrkdwn('a')) }],
      'no more than 10 items allowed [json-pointer:/blocks/0/fields]',
    ],
    [
      'blocks',
      times(50, () => ({ type: 'divider' })),
      times(51, () => ({ type: 'divider' })),
      'no more than 50 items allowed [json-pointer:/blocks]',
    ],
    [
      'context',
      [{ type: 'context', elements: times(10, () => mrkdwn('a')) }],
      [{ type: 'context', elements: times(11, () => mrkdwn('a')) }],
      'no more than 10 items allowed [json-pointer:/blocks/0/elements]',
    ],
    [
      'actions',
      [actions(...times(25, (n) => button({ action_id: `a${n}` })))],
      [actions(...times(26, (n) => button({ action_id: `a${n}` })))],
      'no more than 25 items allowed [json-pointer:/blocks/0/elements]',
    ],
    [
      'button text',
      [actions(button({ text: plain(long(75)) }))],
      [actions(button({ text: plain(long(76)) }))],
      'must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]',
    ],
    [
      'button text is plain',
      [actions(button())],
      [actions(button({ text: mrkdwn('Go') }))],
      'unsupported type: mrkdwn [json-pointer:/blocks/0/elements/0/text/type]',
    ],
    [
      'button value',
      [actions(button({ value: long(2000) }))],
      [actions(button({ value: long(2001) }))],
      'must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]',
    ],
    [
      'button style',
      [actions(button({ style: 'danger' }))],
      [actions(button({ style: 'default' }))],
      'must be a valid enum value (one of: primary, danger) [json-pointer:/blocks/0/elements/0/style]',
    ],
    [
      'action_id',
      [actions(button({ action_id: long(255) }))],
      [actions(button({ action_id: long(256) }))],
      'must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]',
    ],
    [
      'action_id unique in its block',
      [actions(button()), actions(button())],
      [actions(button(), button())],
      '`action_id` "go" already exists [json-pointer:/blocks/0/elements]',
    ],
    [
      'block_id unique',
      [{ type: 'divider', block_id: 'a' }],
      [
        { type: 'divider', block_id: 'a' },
        { type: 'divider', block_id: 'a' },
      ],
      'block_id `a` already exists [json-pointer:/blocks/1/block_id]',
    ],
    [
      'block_id',
      [{ type: 'divider', block_id: long(255) }],
      [{ type: 'divider', block_id: long(256) }],
      'must be less than 256 characters [json-pointer:/blocks/0/block_id]',
    ],
    [
      'confirm title',
      [actions(button({ confirm: confirm({ title: plain(long(100)) }) }))],
      [actions(button({ confirm: confirm({ title: plain(long(101)) }) }))],
      'must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]',
    ],
    [
      'confirm text',
      [actions(button({ confirm: confirm({ text: plain(long(300)) }) }))],
      [actions(button({ confirm: confirm({ text: plain(long(301)) }) }))],
      'must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]',
    ],
    [
      'confirm and deny',
      [actions(button({ confirm: confirm({ deny: plain(long(30)) }) }))],
      [actions(button({ confirm: confirm({ confirm: plain(long(31)) }) }))],
      'must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]',
    ],
    [
      'table rows',
      [table(100, 2)],
      [table(101, 2)],
      'no more than 100 items allowed [json-pointer:/blocks/0/rows]',
    ],
    [
      'table cells',
      [table(2, 20)],
      [table(2, 21)],
      'no more than 20 items allowed [json-pointer:/blocks/0/rows/0]',
    ],
    [
      'an empty cell',
      [table(1, 1, ' ')],
      [table(1, 1, '')],
      'must be more than 0 characters [json-pointer:/blocks/0/rows/0/0/text]',
    ],
    [
      'table text',
      [table(100, 10, long(10))],
      [table(100, 10, long(11))],
      'table text must be less than 10001 characters [json-pointer:/blocks]',
    ],
    [
      'a cell is not mrkdwn',
      [table(1, 1)],
      [{ type: 'table', rows: [[mrkdwn('a')]] }],
      'unsupported type: mrkdwn [json-pointer:/blocks/0/rows/0/0/type]',
    ],
    [
      'rich text parts',
      [rich({ type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'SELECT 1' }] })],
      [rich({ type: 'text', text: 'a' })],
      'unsupported type: text [json-pointer:/blocks/0/elements/0/type]',
    ],
    [
      'rich text leaves',
      [rich({ type: 'rich_text_section', elements: [{ type: 'user', user_id: 'U0RESP' }] })],
      [rich({ type: 'rich_text_section', elements: [{ type: 'text', text: '' }] })],
      'must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]',
    ],
    [
      'rich text lists',
      [
        rich({
          type: 'rich_text_list',
          style: 'bullet',
          elements: [{ type: 'rich_text_section', elements: [] }],
        }),
      ],
      [
        rich({
          type: 'rich_text_list',
          style: 'bullet',
          elements: [{ type: 'rich_text_quote', elements: [] }],
        }),
      ],
      'unsupported type: rich_text_quote [json-pointer:/blocks/0/elements/0/elements/0/type]',
    ],
    [
      'the title of a chart',
      [chartOf({ type: 'pie', segments: points(1) }, { title: long(50), block_id: 'a' })],
      [chartOf({ type: 'pie', segments: points(1) }, { title: long(51) })],
      'must be less than 51 characters [json-pointer:/blocks/0/title]',
    ],
    [
      'the kinds of charts',
      ['bar', 'area'].map((type) =>
        chartOf({ type, series: [one(1)], axis_config: { categories: names(1) } }),
      ),
      [chartOf({ type: 'donut', segments: points(1) })],
      'unsupported type: donut [json-pointer:/blocks/0/chart/type]',
    ],
    [
      'slices of a pie',
      [pie(points(6))],
      [pie(points(7))],
      'no more than 6 items allowed [json-pointer:/blocks/0/chart/segments]',
    ],
    [
      'a slice of nothing',
      [pie(points(1, 0.001))],
      [pie(points(1, 0))],
      'must be greater than 0 [json-pointer:/blocks/0/chart/segments/0/value]',
    ],
    [
      'values of a chart',
      [line([{ name: 'a', data: points(2, -1.5) }], names(2))],
      [line([{ name: 'a', data: [{ label: 'c0', value: null }] }], names(1))],
      'must provide a number [json-pointer:/blocks/0/chart/series/0/data/0/value]',
    ],
    [
      'series of a chart',
      [
        line(
          times(6, (n) => one(2, `s${n}`)),
          names(2),
        ),
      ],
      [
        line(
          times(7, (n) => one(2, `s${n}`)),
          names(2),
        ),
      ],
      'no more than 6 items allowed [json-pointer:/blocks/0/chart/series]',
    ],
    [
      'names of series',
      [line([one(1, long(20))], names(1))],
      [line([one(1, long(21))], names(1))],
      'must be less than 21 characters [json-pointer:/blocks/0/chart/series/0/name]',
    ],
    [
      'series that are told from each other',
      [line([one(1, 'a'), one(1, 'b')], names(1))],
      [line([one(1, 'a'), one(1, 'a')], names(1))],
      'must be unique [json-pointer:/blocks/0/chart/series]',
    ],
    [
      'categories of a chart',
      [line([one(20)], names(20), { x_label: long(50), y_label: long(50) })],
      [line([one(21)], names(21))],
      'no more than 20 items allowed [json-pointer:/blocks/0/chart/axis_config/categories]',
    ],
    [
      'categories that are told from each other',
      [line([one(2)], names(2))],
      [line([{ name: 'a', data: [...points(1), ...points(1)] }], ['c0', 'c0'])],
      'must be unique [json-pointer:/blocks/0/chart/axis_config/categories]',
    ],
    [
      'the title of an axis',
      [line([one(1)], names(1), { y_label: 'sessions' })],
      [line([one(1)], names(1), { y_label: long(51) })],
      'must be less than 51 characters [json-pointer:/blocks/0/chart/axis_config/y_label]',
    ],
    [
      'a value for each category',
      [line([{ name: 'a', data: points(3).reverse() }], names(3))],
      [line([one(3), one(2, 'b')], names(3))],
      'labels must match axis_config.categories [json-pointer:/blocks/0/chart/series/1/data]',
    ],
    [
      'a value for no other category',
      [line([one(1)], ['c0'])],
      [line([one(1)], ['other'])],
      'labels must match axis_config.categories [json-pointer:/blocks/0/chart/series/0/data]',
    ],
    [
      'unknown block',
      [{ type: 'divider' }],
      [{ type: 'banner' }],
      'unsupported type: banner [json-pointer:/blocks/0/type]',
    ],
    [
      'alert belongs to modals',
      [{ type: 'divider' }],
      [{ type: 'alert', text: plain('a') }],
      'unsupported type: alert [json-pointer:/blocks/0/type]',
    ],
    [
      'unknown property',
      [section('a')],
      [{ ...section('a'), colour: 'red' }],
      'invalid additional property: colour [json-pointer:/blocks/0]',
    ],
    [
      'a menu has options or groups of them',
      [actions({ type: 'static_select', action_id: 'a', options: [choice] })],
      [actions({ type: 'static_select', action_id: 'a' })],
      'missing required field: options or option_groups [json-pointer:/blocks/0/elements/0]',
    ],
    [
      'a menu has not both',
      [actions({ type: 'multi_static_select', action_id: 'a', options: times(100, () => choice) })],
      [
        actions({
          type: 'multi_static_select',
          action_id: 'a',
          options: [choice],
          option_groups: [{ label: plain('a'), options: [choice] }],
        }),
      ],
      'only one of options and option_groups may be given [json-pointer:/blocks/0/elements/0]',
    ],
    [
      'an image comes from somewhere',
      [{ type: 'image', alt_text: 'a', image_url: 'https://example.com/a.png' }],
      [{ type: 'image', alt_text: 'a' }],
      'missing required field: image_url or slack_file [json-pointer:/blocks/0]',
    ],
    [
      'an address leads somewhere',
      [actions(button({ url: 'https://example.com' }))],
      [actions(button({ url: 'javascript:alert(1)' }))],
      'must be a valid URL [json-pointer:/blocks/0/elements/0/url]',
    ],
    [
      'what is chosen at first can be chosen',
      [actions({ type: 'static_select', action_id: 'a', options: [choice], initial_option: choice })],
      [
        actions({
          type: 'static_select',
          action_id: 'a',
          options: [choice],
          initial_option: { ...choice, value: 'two' },
        }),
      ],
      'must be one of the options [json-pointer:/blocks/0/elements/0/initial_option]',
    ],
    [
      'a menu has plain words, boxes may have formatted ones',
      [actions({ type: 'checkboxes', action_id: 'a', options: [{ ...choice, text: mrkdwn('*One*') }] })],
      [actions({ type: 'static_select', action_id: 'a', options: [{ ...choice, text: mrkdwn('*One*') }] })],
      'unsupported type: mrkdwn [json-pointer:/blocks/0/elements/0/options/0/text/type]',
    ],
    [
      'section without text',
      [section('a')],
      [{ type: 'section' }],
      'missing required field: text [json-pointer:/blocks/0]',
    ],
  ])('%s', async (_name, fine, wrong, problem) => {
    expect(await call('chat.postMessage', { channel, text: 'x', blocks: fine })).toMatchObject({
      error: 'ok',
    })
    const refused = await call('chat.postMessage', { channel, text: 'x', blocks: wrong })
    expect(refused).toMatchObject({ error: 'invalid_blocks' })
    expect(refused.messages).toContain(`[ERROR] ${problem}`)
  })

  test('one table a message, and a sum for all blocks', async () => {
    const post = (blocks: object[]) => call('chat.postMessage', { channel, text: 'x', blocks })
    expect(await post([table(1, 1), table(1, 1)])).toMatchObject({
      error: 'invalid_attachments',
      messages: ['[ERROR] only_one_table_allowed'],
    })
    expect(await post(times(4, () => section(long(2600))))).toMatchObject({ error: 'msg_blocks_too_long' })
  })

  test('two charts a message, whose words count as well', async () => {
    const post = (blocks: object[]) => call('chat.postMessage', { channel, text: 'x', blocks })
    const chart = line([one(20, long(20))], names(20))
    expect(await post([chart, chart])).toMatchObject({ error: 'ok' })
    expect(await post([chart, chart, chart])).toMatchObject({
      error: 'invalid_blocks',
      messages: ['[ERROR] no more than 2 data_visualization blocks allowed [json-pointer:/blocks]'],
    })
    expect(await post([...times(4, () => section(long(2490))), chart])).toMatchObject({
      error: 'msg_blocks_too_long',
    })
  })
})

describe('views', () => {
  const modal = (extra: object = {}) => ({
    type: 'modal',
    title: plain('Title'),
    blocks: [section('a')],
    ...extra,
  })
  const trigger = async () => {
    // An unanswered command is enough to get a trigger.
    const { payload } = await workspace.slashCommand({ userId: 'U0RESP', channelId: channel })
    return payload?.trigger_id
  }
  test.each<[string, object, string]>([
    [
      'title',
      modal({ title: plain(long(25)) }),
      'must be less than 25 characters [json-pointer:/view/title/text]',
    ],
    [
      'submit',
      modal({ submit: plain(long(25)) }),
      'must be less than 25 characters [json-pointer:/view/submit/text]',
    ],
    [
      'close',
      modal({ close: plain(long(25)) }),
      'must be less than 25 characters [json-pointer:/view/close/text]',
    ],
    [
      'private_metadata',
      modal({ private_metadata: long(3001) }),
      'must be less than 3001 characters [json-pointer:/view/private_metadata]',
    ],
    [
      'blocks',
      modal({ blocks: times(101, () => ({ type: 'divider' })) }),
      'no more than 100 items allowed [json-pointer:/view/blocks]',
    ],
    ['table', modal({ blocks: [table(1, 1)] }), 'unsupported type: table [json-pointer:/view/blocks/0/type]'],
    [
      'chart',
      modal({ blocks: [pie(points(1))] }),
      'unsupported type: data_visualization [json-pointer:/view/blocks/0/type]',
    ],
    [
      'input without submit',
      modal({ blocks: [{ type: 'input', label: plain('a'), element: { type: 'plain_text_input' } }] }),
      'missing required field: submit [json-pointer:/view]',
    ],
  ])('%s', async (_name, view, problem) => {
    const refused = await call('views.open', { trigger_id: await trigger(), view })
    expect(refused).toMatchObject({ error: 'invalid_arguments' })
    expect(refused.messages).toContain(`[ERROR] ${problem}`)
  })

  test('a trigger works once, within three seconds', async () => {
    const open = (trigger_id: unknown) => call('views.open', { trigger_id, view: modal() })
    const id = await trigger()
    expect(await open(id)).toMatchObject({ error: 'ok' })
    expect(await open(id)).toMatchObject({ error: 'exchanged_trigger_id' })
    expect(await open('1.2.made-up')).toMatchObject({ error: 'invalid_trigger_id' })
    let now = Date.now()
    const other = await createWorkspace({ manifest, now: () => now })
    try {
      const { payload } = await other.slashCommand({ userId: 'U0RESP', channelId: channel })
      now += 3001
      const late = new webApi.WebClient(other.tokens.bot, { slackApiUrl: other.env.SLACK_API_URL })
      await expect(
        late.apiCall('views.open', { trigger_id: payload?.trigger_id, view: modal() }),
      ).rejects.toMatchObject({ data: { error: 'expired_trigger_id' } })
    } finally {
      await other.close()
    }
  })

  test('an external id names one view', async () => {
    const view = modal({ external_id: 'why' })
    expect(await call('views.open', { trigger_id: await trigger(), view })).toMatchObject({ error: 'ok' })
    expect(await call('views.push', { trigger_id: await trigger(), view })).toMatchObject({
      error: 'duplicate_external_id',
    })
    // It takes the place of the one before.
    expect(await call('views.open', { trigger_id: await trigger(), view })).toMatchObject({ error: 'ok' })
    expect(await call('views.update', { external_id: 'why', view })).toMatchObject({ error: 'ok' })
  })

  test('home, updates by hash, and unknown views', async () => {
    const home = { type: 'home', blocks: [section('Welcome')] }
    expect(await call('views.publish', { user_id: 'U0RESP', view: home })).toMatchObject({ error: 'ok' })
    expect(workspace.home('U0RESP')?.blocks).toHaveLength(1)
    expect(await call('views.publish', { user_id: 'U0RESP', view: home, hash: 'old' })).toMatchObject({
      error: 'hash_conflict',
    })
    expect(await call('views.publish', { user_id: 'U0NOBODY', view: home })).toMatchObject({
      error: 'user_not_found',
    })
    expect(
      await call('views.publish', { user_id: 'U0RESP', view: { ...home, blocks: [table(1, 1)] } }),
    ).toMatchObject({
      error: 'invalid_arguments',
    })
    expect(await call('views.update', { view_id: 'V0', view: modal() })).toMatchObject({ error: 'not_found' })
  })
})

describe('App Home', () => {
  test('an app without the Home tab publishes none, and no app more than 100 a minute', async () => {
    const publish = async ({ url, tokens }: Workspace) => {
      const response = await fetch(`${url}/api/views.publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.bot}`, 'content-type': 'application/json' },
        body: JSON.stringify({ user_id: 'U0RESP', view: { type: 'home', blocks: [] } }),
      })
      return [response.status, ((await response.json()) as { error?: string }).error]
    }
    workspace.setPacing(true)
    for (let n = 0; n < 100; n++) expect(await publish(workspace)).toEqual([200, undefined])
    expect(await publish(workspace)).toEqual([429, 'ratelimited'])
    workspace.setPacing(false)
    expect(await publish(workspace)).toEqual([200, undefined])

    const bare = await createWorkspace({ manifest: { ...manifest, hasHome: false } })
    expect(await publish(bare)).toEqual([200, 'not_enabled'])
    await bare.close()
  })
})

describe('conversations, people and tokens', () => {
  test('messages', async () => {
    const post = (args: object) => call('chat.postMessage', { channel, ...args })
    expect(await post({})).toMatchObject({ error: 'no_text' })
    expect(await post({ text: ' \n' })).toMatchObject({ error: 'no_text' })
    expect(await post({ text: 'x', attachments: [{ text: 'y' }] })).toMatchObject({
      error: 'invalid_attachments',
      messages: ['[ERROR] this workspace knows no attachments: use blocks'],
    })
    expect(await post({ text: 'x', attachments: [] })).toMatchObject({ error: 'ok' })
    expect(await post({ text: long(40_001) })).toMatchObject({ error: 'msg_too_long' })
    expect(await post({ text: 'x', blocks: 'not json' })).toMatchObject({ error: 'invalid_blocks_format' })
    expect(await post({ text: 'x', metadata: { event: 'x' } })).toMatchObject({
      error: 'invalid_metadata_format',
    })
    expect(await post({ text: 'x', thread_ts: '1.000001' })).toMatchObject({ error: 'thread_not_found' })
    expect(await call('chat.postMessage', { channel: 'C0NOWHERE', text: 'x' })).toMatchObject({
      error: 'channel_not_found',
    })
    expect(await call('chat.postMessage', { channel: 'C0RANDOM', text: 'x' })).toMatchObject({
      error: 'not_in_channel',
    })
    expect(await call('chat.postMessage', { channel: 'G0DBA', text: 'x' })).toMatchObject({
      error: 'channel_not_found',
    })
    expect(await call('chat.postEphemeral', { channel, user: 'U0GONE', text: 'x' })).toMatchObject({
      error: 'user_not_in_channel',
    })

    const { ts } = await clientOf(workspace.tokens.bot).chat.postMessage({ channel, text: 'mine' })
    const theirs = workspace.say({ userId: 'U0RESP', channelId: channel, text: 'theirs' }).ts
    const update = (args: object) => call('chat.update', { channel, ts, ...args })
    expect(await update({ text: long(4000) })).toMatchObject({ error: 'ok' })
    expect(await update({ text: long(4001) })).toMatchObject({ error: 'msg_too_long' })
    expect(await update({ ts: theirs, text: 'x' })).toMatchObject({ error: 'cant_update_message' })
    expect(await call('chat.delete', { channel, ts: theirs })).toMatchObject({ error: 'cant_delete_message' })
    workspace.archive(channel)
    expect(await update({ text: 'x' })).toMatchObject({ error: 'is_inactive' })
    expect(await post({ text: 'x' })).toMatchObject({ error: 'is_archived' })
    workspace.archive(channel, false)
    workspace.kick(channel)
    expect(await post({ text: 'x' })).toMatchObject({ error: 'not_in_channel' })
    workspace.invite(channel)
    workspace.deleteMessage(channel, ts ?? '')
    expect(await update({ text: 'x' })).toMatchObject({ error: 'message_not_found' })
    expect(await call('chat.getPermalink', { channel, message_ts: ts })).toMatchObject({
      error: 'message_not_found',
    })
  })

  test('only a message goes to a person or to a name; all else takes the id of the conversation', async () => {
    const dm = await clientOf(workspace.tokens.bot).chat.postMessage({ channel: 'U0DANA', text: 'for you' })
    expect(dm.channel).toBe('D0DANA')
    expect(await call('chat.postMessage', { channel: '#incidents', text: 'x' })).toMatchObject({
      error: 'ok',
    })
    expect(await call('chat.postMessage', { channel: 'incidents', text: 'x' })).toMatchObject({ error: 'ok' })
    const refused = { error: 'channel_not_found' }
    const { ts } = dm
    expect(await call('chat.update', { channel: 'U0DANA', ts, text: 'x' })).toMatchObject(refused)
    expect(await call('chat.delete', { channel: 'U0DANA', ts })).toMatchObject(refused)
    expect(await call('chat.getPermalink', { channel: 'U0DANA', message_ts: ts })).toMatchObject(refused)
    expect(await call('conversations.info', { channel: '#incidents' })).toMatchObject(refused)
    expect(await call('chat.update', { channel: 'D0DANA', ts, text: 'x' })).toMatchObject({ error: 'ok' })
  })

  test('people and groups', async () => {
    expect(await call('users.info', { user: 'U0NOBODY' })).toMatchObject({ error: 'user_not_found' })
    expect(await call('usergroups.users.list', { usergroup: 'S0NONE' })).toMatchObject({
      error: 'no_such_subteam',
    })
    workspace.disableGroup('S0DBAONCALL')
    expect(await call('usergroups.users.list', { usergroup: 'S0DBAONCALL' })).toMatchObject({
      error: 'no_such_subteam',
    })
    workspace.disableGroup('S0DBAONCALL', false)
  })

  test('tokens and scopes', async () => {
    expect(await call('auth.test', {}, '')).toMatchObject({ error: 'not_authed' })
    expect(await call('auth.test', {}, 'xoxb-revoked')).toMatchObject({ error: 'invalid_auth' })
    expect(await call('apps.connections.open', {})).toMatchObject({ error: 'not_allowed_token_type' })
    expect(await call('conversations.open', { users: 'U0DANA' })).toMatchObject({
      error: 'missing_scope',
      data: { needed: 'im:write', provided: 'chat:write,users:read,usergroups:read,channels:read' },
    })
    expect(await call('chat.meow', {})).toMatchObject({ error: 'unknown_method' })
    const json = await fetch(`${workspace.env.SLACK_API_URL}users.info`, {
      method: 'POST',
      headers: { authorization: `Bearer ${workspace.tokens.bot}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'U0DANA' }),
    })
    expect(await json.json()).toMatchObject({ ok: true, user: { id: 'U0DANA', real_name: 'Dana' } })
  })
})
