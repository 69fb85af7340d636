import type { ModalView, StaticSelect } from '@slack/types'
import { pickClusterAction } from './buttons.ts'
import { chartRows, inColumns } from './chart.ts'
import { type Block, bold, bullets, plainText, preformatted, richText, section, text } from './kit.ts'

/** Callback id of every modal that shows an answer. */
export const answerCallback = 'pg_answer'

/** https://docs.slack.dev/reference/views/modal-views */
const mostBlocks = 100
/** https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element */
const mostOptions = 100

/** https://docs.slack.dev/reference/block-kit/blocks: a chart is for messages alone. */
type ModalBlock = ModalView['blocks'][number]

const modal = (blocks: readonly ModalBlock[], close = 'Close'): ModalView => ({
  type: 'modal',
  callback_id: answerCallback,
  title: plainText('pg-marshal', 24),
  close: plainText(close, 24),
  blocks: blocks.slice(0, mostBlocks),
})

/** Stands until the answer is there: a modal opens within three seconds or not at all. */
export const waitingModal = (): ModalView => modal([richText(section('Looking …'))])

/** Draws an answer as a modal, which takes no tables and no charts. */
export const answerModal = (blocks: readonly Block[]): ModalView => modal(blocks.flatMap(forModal))

/** Draws what is said about a press in a modal, over that one. */
export const saidModal = (blocks: readonly Block[]): ModalView => modal(blocks.flatMap(forModal), 'Back')

/** Draws the modal that asks for a cluster. */
export function pickerModal(names: readonly string[]): ModalView {
  const options = names.toSorted().map((name) => ({ text: plainText(name, 75), value: name }))
  const groups = Array.from({ length: Math.ceil(options.length / mostOptions) }, (_, n) =>
    options.slice(n * mostOptions, (n + 1) * mostOptions),
  ).slice(0, mostOptions)
  const select: StaticSelect = {
    type: 'static_select',
    action_id: pickClusterAction,
    placeholder: plainText('Which cluster?', 150),
    ...(groups.length > 1
      ? {
          option_groups: groups.map((group) => ({
            label: plainText(`${group[0]?.value} … ${group.at(-1)?.value}`, 75),
            options: group,
          })),
        }
      : { options }),
  }
  return modal([richText(section('The sessions of which cluster?')), { type: 'actions', elements: [select] }])
}

/** Writes each row of a table as a line, the first cell in bold, and a chart in columns. */
function forModal(block: Block): ModalBlock[] {
  if (block.type === 'data_visualization')
    return [richText(section(bold(block.title)), preformatted(inColumns(chartRows(block))))]
  if (block.type !== 'table') return [block]
  const [, ...rows] = block.rows.map((row) =>
    row.map((cell) => ('text' in cell && typeof cell.text === 'string' ? cell.text.trim() : '')),
  )
  if (rows.length === 0) return []
  return [
    richText(
      bullets(
        ...rows.map(([first = '', ...others]) => [
          bold(first),
          text(
            others
              .filter((words) => words !== '')
              .map((words) => ` · ${words}`)
              .join(''),
          ),
        ]),
      ),
    ),
  ]
}
