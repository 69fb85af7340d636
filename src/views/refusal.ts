import type { Refusal } from '../domain/approvals/access.ts'
import { askAction, proposeButton } from './buttons.ts'
import { mentions } from './card/ask.ts'
import { button, buttonRow, clean, type Line, plainWords, richText, section, user, type View } from './kit.ts'
import { shortNameAndPid } from './words.ts'

/**
 * Draws a refusal for the person who was refused: why, and the button that leads on.
 * @param link address of the card that it is about, where it is another one
 */
export function refusalView(refusal: Refusal, link: string | null = null): View {
  const { help } = refusal
  const line: Line = [
    ...sentenceOf(refusal),
    ...(link ? [' ', { type: 'link' as const, url: link, text: 'Open the card' }] : []),
  ]
  return {
    text: plainWords(line),
    blocks: [
      richText(section(...line)),
      ...buttonRow(
        ...(help?.kind === 'approvers' ? [button(askAction, 'Ask them', help.proposalId)] : []),
        ...(help?.kind === 'propose'
          ? [proposeButton(help.action, help.key, shortNameAndPid(help.session))]
          : []),
      ),
    ],
  }
}

function sentenceOf({ code, reason, by, help }: Refusal): Line {
  if (help?.kind === 'approvers' && code === 'notAllowed')
    return [
      'Nothing was done: you are not among those who may do this. Only ',
      ...mentions(help.approvers),
      ' may approve.',
    ]
  return [`Nothing was done: ${clean(reason).replace(/\.$/, '')}`, ...(by ? [' by ', user(by)] : []), '.']
}
