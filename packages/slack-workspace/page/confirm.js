/** The dialog before a press: https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object */
import { h } from './dom.js'
import { plainOf, textNode } from './text.js'

/** @returns {Promise<boolean>} whether it was confirmed; Escape is a no */
export function askConfirm(confirm, store) {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { class: 'confirm', 'aria-labelledby': 'confirm-title', 'aria-describedby': 'confirm-text' },
      h('h2', { id: 'confirm-title' }, plainOf(confirm.title)),
      h('div', { class: 'dialog-body', id: 'confirm-text' }, textNode(confirm.text, store)),
      h(
        'div',
        { class: 'dialog-buttons' },
        h(
          'button',
          { type: 'button', class: 'control', onclick: () => dialog.close('deny') },
          plainOf(confirm.deny),
        ),
        h(
          'button',
          {
            type: 'button',
            class: `control ${confirm.style ?? 'primary'}`,
            autofocus: true,
            onclick: () => dialog.close('confirm'),
          },
          plainOf(confirm.confirm),
        ),
      ),
    )
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'confirm')
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}
