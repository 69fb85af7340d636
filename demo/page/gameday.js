/** The game day: one trouble at random, and what came of it. */
import { control } from '/page/api.js'
import { h, syncList } from '/page/dom.js'
import { icon } from '/page/icons.js'
import { secondsText } from './words.js'

const sum = (losses) => losses.reduce((seconds, loss) => seconds + loss.seconds, 0)
const workText = (losses) => (sum(losses) < 0.05 ? 'no work' : `${secondsText(sum(losses))} of work`)
const lossText = (losses) =>
  losses.length === 0
    ? 'nothing'
    : `${workText(losses)} (${[...new Set(losses.map(({ name, how }) => `${name} ${how}`))].join(', ')})`

const endings = {
  itself: ({ seconds }) =>
    `With it the same trouble was over by itself after ${secondsText(seconds)}. Nobody had to act.`,
  helped: ({ seconds }) =>
    `It was over after ${secondsText(seconds)}, but somebody pressed something. Try again, hands off.`,
  stayed: ({ seconds }) => `It came all the same, and was still there after ${secondsText(seconds)}.`,
  absent: () => 'With it the same trouble did not even come up.',
}
const isPrevented = ({ how }) => how === 'itself' || how === 'absent'

/** The setting that would have prevented it, and the same trouble again with it. */
function lessonNode(replay, button) {
  if (replay.kind === 'unknown') return null
  const heading = h('h5', null, 'What would have prevented it')
  if (replay.kind === 'none')
    return [
      heading,
      h('p', null, 'The bot advises no setting: none ends this, or it was over too soon for one.'),
    ]
  const { statement, seconds } = replay.lesson
  const shown = [heading, h('pre', null, statement)]
  if (seconds === null)
    return [...shown, h('p', null, 'So the bot advises. To see it work would take longer than a game day.')]
  if (replay.kind === 'playing')
    return [
      ...shown,
      h(
        'p',
        { class: 'again' },
        `It is set, and the same trouble plays again. Hands off: watch the server for ${seconds} s.`,
      ),
    ]
  const { ending } = replay
  return [
    ...shown,
    ending
      ? h(
          'p',
          { class: isPrevented(ending) ? 'verdict' : '' },
          isPrevented(ending) ? icon('check') : null,
          ` ${endings[ending.how](ending)}`,
        )
      : h('p', null, 'So the bot advises (/pg advise). It never applies anything; you can, here.'),
    ending ? h('p', { class: 'faint' }, 'The room has taken the setting back.') : null,
    button(ending ? 'Apply it once more' : 'Apply it and play the same again', 'applyAndReplay'),
  ]
}

function reportNode(report, replay, button) {
  const lesson = lessonNode(replay, button)
  // While it plays, nothing stands between these words and the picture of the server.
  if (replay.kind === 'playing') return h('div', { class: 'lesson' }, h('h4', null, report.title), lesson)
  const line = (label, value) => [h('dt', null, label), h('dd', null, value)]
  const after = (seconds) => (seconds === null ? 'never' : `after ${secondsText(seconds)}`)
  return h(
    'div',
    { class: report.wasGentlest ? 'report good' : 'report' },
    h('h4', null, report.endedAfter === null ? `Given up: ${report.title}` : report.title),
    h('p', null, report.cause),
    h(
      'dl',
      null,
      line('The bot showed it', after(report.seenAfter)),
      line('Somebody was called', after(report.calledAfter)),
      line('First move', after(report.firstMoveAfter)),
      line('It was over', after(report.endedAfter)),
      line('Lost', lossText(report.losses)),
      line('The gentlest way', `${report.gentlestWords} It costs ${workText(report.gentlest)}.`),
    ),
    h(
      'p',
      null,
      h(
        'a',
        { href: '/panel/report', target: '_blank', rel: 'noopener', 'data-focus': 'report' },
        'The bot’s report of it',
      ),
    ),
    report.wasGentlest ? h('p', { class: 'verdict' }, icon('check'), ' That was the gentlest way.') : null,
    lesson ? h('div', { class: 'lesson' }, lesson) : null,
  )
}

export function createGameDay(say) {
  const clock = h('strong', { class: 'clock' })
  const holder = h('div', { class: 'gameday' })
  let since = 0
  let ticking

  const tick = () => {
    const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000))
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
  const button = (label, name, kind = '') =>
    h(
      'button',
      {
        type: 'button',
        class: `control ${kind}`,
        'data-focus': name,
        onclick: () => control(`panel/${name}`).catch(say),
      },
      label,
    )
  const faces = {
    idle: ({ report }, replay) =>
      h(
        'div',
        { class: 'card' },
        h(
          'div',
          { class: 'row' },
          h(
            'div',
            { class: 'grow' },
            h('h3', null, 'Game day'),
            h(
              'p',
              { class: 'faint' },
              'One trouble at random. You hear what people complain about, no more.',
            ),
          ),
          button(report ? 'Play again' : 'Play', 'startGameDay', 'primary'),
        ),
        report ? reportNode(report, replay, button) : null,
      ),
    preparing: () =>
      h(
        'div',
        { class: 'card' },
        h('h3', null, 'Game day'),
        h('p', { class: 'faint' }, 'Setting the stage…'),
      ),
    playing: ({ story, seen, called }) =>
      h(
        'div',
        { class: 'card on' },
        h('div', { class: 'row' }, h('h3', { class: 'grow' }, 'Game day'), clock),
        h('blockquote', null, story),
        h(
          'p',
          { class: 'faint' },
          `${seen ? 'The bot has shown it in the channel' : 'The bot has not shown it yet'}${called ? ', and somebody was called.' : '.'}`,
        ),
        button('Give up', 'giveUpGameDay'),
      ),
  }

  const draw = ({ gameDay, replay }) => {
    clearInterval(ticking)
    if (gameDay.kind === 'playing') {
      since = gameDay.since
      tick()
      ticking = setInterval(tick, 500)
    }
    syncList(holder, [
      {
        key: 'face',
        parts: [JSON.stringify([gameDay, replay])],
        build: () => faces[gameDay.kind](gameDay, replay),
      },
    ])
  }
  return { node: holder, draw }
}
