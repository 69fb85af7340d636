import { describe, expect, it, test } from 'vitest'
import { readButton } from '../../src/slack/buttons.ts'
import { proposeButton, proposeIdleButton } from '../../src/views/buttons.ts'

const id = '3f2a9c1b-0000-4000-8000-000000000001'
const key = { cluster: 'orders', pid: 4312, backendStart: '2026-03-01 02:00:00.000001+00' }

describe('a button', () => {
  test.each([
    ['approve_terminate', { kind: 'approve', action: 'terminate', proposalId: id }],
    ['deny_cancel', { kind: 'deny', action: 'cancel', proposalId: id }],
    ['pg_details', { kind: 'details', cardId: id }],
    ['pg_refresh', { kind: 'refresh', cardId: id }],
    ['pg_show_all', { kind: 'showAll', cardId: id }],
    ['pg_offer_again', { kind: 'offerAgain', proposalId: id }],
    ['pg_acknowledge', { kind: 'acknowledge', incidentId: id }],
    ['pg_snooze', { kind: 'snooze', incidentId: id, choice: '30m' }],
    ['pg_hand_over', { kind: 'handOver', incidentId: id }],
    ['pg_take_over', { kind: 'takeOver', incidentId: id }],
    ['pg_hand_back', { kind: 'handBack', incidentId: id }],
    ['pg_break_glass', { kind: 'breakGlass', proposalId: id }],
  ])('%s stands for one thing, with an opaque id', (actionId, action) => {
    expect(readButton(actionId, id)).toEqual(action)
    expect(readButton(actionId, '4312')).toEqual({ kind: 'malformed' })
  })

  it('that proposes says for which session', () => {
    const { action_id, value } = proposeButton('cancel', key, 'web (4312)')
    expect(readButton(action_id, value)).toEqual({ kind: 'propose', action: 'cancel', session: key })
  })

  test.each([
    ['nothing', undefined],
    ['no JSON', '{'],
    ['an id', id],
    ['no pid', JSON.stringify({ ...key, pid: undefined })],
    ['a pid that is none', JSON.stringify({ ...key, pid: -1 })],
    ['a part of a pid', JSON.stringify({ ...key, pid: 1.5 })],
    ['no start', JSON.stringify({ ...key, backendStart: '' })],
    ['no cluster', JSON.stringify({ ...key, cluster: '' })],
    ['more than it should', JSON.stringify({ ...key, state: 'approved' })],
    ['a list', JSON.stringify([key])],
  ])('that proposes with %s is damaged', (_, value) => {
    expect(readButton('pg_propose_terminate', value)).toEqual({ kind: 'malformed' })
  })

  it('that proposes what a holder does not use says whose sessions, also without an application name', () => {
    const holder = { usename: 'shop', applicationName: '', clientAddr: '10.0.0.1', datname: 'orders' }
    const { action_id, value = '' } = proposeIdleButton('orders', holder)
    expect(readButton(action_id, value)).toEqual({ kind: 'proposeIdle', cluster: 'orders', holder })
    const asked = JSON.parse(value)
    for (const key of Object.keys(asked))
      for (const over of [undefined, 1, 'x'.repeat(201)])
        expect(readButton(action_id, JSON.stringify({ ...asked, [key]: over }))).toEqual({
          kind: 'malformed',
        })
    for (const bad of [undefined, '{', id, JSON.stringify({ ...asked, action: 'approve' })])
      expect(readButton(action_id, bad)).toEqual({ kind: 'malformed' })
  })

  test.each([
    ['pg_refresh_answer', 'refreshAnswer'],
    ['pg_show_answer', 'showAnswer'],
  ])('%s says what to read', (actionId, kind) => {
    for (const command of ['', 'blocking --db "two words"'])
      expect(readButton(actionId, JSON.stringify({ command }))).toEqual({ kind, command })
    for (const value of [
      undefined,
      '{',
      id,
      '[]',
      '{}',
      JSON.stringify({ command: 1 }),
      JSON.stringify({ command: 'x'.repeat(2001) }),
      JSON.stringify({ command: 'long', cluster: 'orders' }),
    ])
      expect(readButton(actionId, value)).toEqual({ kind: 'malformed' })
  })

  it('of another name is none of ours', () => {
    for (const actionId of ['approve', 'approve_drop', 'pg_propose_drop', '', null])
      expect(readButton(actionId, id)).toEqual({ kind: 'malformed' })
  })
})

describe('the menu of snoozes', () => {
  it.each([
    [`2h ${id}`, { kind: 'snooze', incidentId: id, choice: '2h' }],
    [`morning ${id}`, { kind: 'snooze', incidentId: id, choice: 'morning' }],
    [`over ${id}`, { kind: 'snooze', incidentId: id, choice: 'over' }],
    [id, { kind: 'malformed' }],
    ['2h', { kind: 'malformed' }],
    [`toString ${id}`, { kind: 'malformed' }],
    [`2h ${id}x`, { kind: 'malformed' }],
    [undefined, { kind: 'malformed' }],
  ])('reads %j', (value, expected) => {
    expect(readButton('pg_snooze_for', value)).toEqual(expected)
  })
})
