/** Views of type `modal`: one dialog that shows the topmost of the stack. */
import { control } from './api.js'
import { blocksNode } from './blocks.js'
import { clear, find, focusedIn, h } from './dom.js'
import { icon } from './icons.js'
import { plainOf } from './text.js'

export function createModals(store, say) {
  /** @type {HTMLDialogElement | null} */
  let dialog = null
  /** @type {any} */
  let shown = null
  let me = ''
  let complaints = 0

  const close = (byCross) =>
    control('closeView', { userId: store.look.me, viewId: shown.id, byCross }).catch(say)

  const submit = async (event) => {
    event.preventDefault()
    const view = shown
    const button = event.submitter ?? event.target.querySelector('[type=submit]')
    if (button?.getAttribute('aria-busy') === 'true') return
    button?.setAttribute('aria-busy', 'true')
    try {
      await control('submitView', {
        userId: store.look.me,
        viewId: view.id,
        values: Object.fromEntries(store.held(view.id)),
      })
    } catch (error) {
      say(error)
    } finally {
      button?.removeAttribute('aria-busy')
    }
  }

  const draw = (box, view) => {
    const values = store.held(view.id)
    const complaint = (actionId) =>
      store.complaintsOn(view.id).find((entry) => entry.actionId === actionId)?.text
    const surface = {
      store,
      values,
      errors: view.errors,
      complaint,
      press: async (element, block, value) => {
        await control('press', {
          userId: store.look.me,
          viewId: view.id,
          actionId: element.action_id,
          blockId: block.block_id,
          value,
          values: Object.fromEntries(values),
        }).catch(say)
      },
    }
    const focused = focusedIn(box)?.dataset.focus
    clear(
      box,
      h(
        'form',
        { novalidate: true, onsubmit: submit },
        h(
          'header',
          null,
          h('h2', { id: 'modal-title' }, plainOf(view.title)),
          h(
            'button',
            { type: 'button', class: 'icon', 'aria-label': 'Close', onclick: () => close(true) },
            icon('close'),
          ),
        ),
        h(
          'div',
          { class: 'dialog-body' },
          view.complaint
            ? h('p', { class: 'error', role: 'alert' }, icon('warning'), ` ${view.complaint}`)
            : null,
          blocksNode(view.blocks, surface),
        ),
        h(
          'div',
          { class: 'dialog-buttons' },
          h(
            'button',
            { type: 'button', class: 'control', onclick: () => close(false) },
            plainOf(view.close) || 'Cancel',
          ),
          view.submit
            ? h('button', { type: 'submit', class: 'control primary' }, plainOf(view.submit))
            : null,
        ),
      ),
    )
    const wrong = find(box, '.wrong input, .wrong textarea, .wrong select')
    const again = focused ? find(box, `[data-focus="${CSS.escape(focused)}"]`) : null
    const first = find(box, '.dialog-body :is(input, textarea, select, button)')
    ;(wrong ?? again ?? first ?? find(box, '[type=submit], .dialog-buttons button'))?.focus()
  }

  return () => {
    const view = store.modals().at(-1) ?? null
    const complained = view ? store.complaintsOn(view.id).length : 0
    if (view === shown && me === store.look.me && complained === complaints) return
    shown = view
    complaints = complained
    me = store.look.me
    if (!view) {
      dialog?.close()
      dialog?.remove()
      dialog = null
      return
    }
    if (!dialog) {
      dialog = h('dialog', {
        class: 'modal',
        'aria-labelledby': 'modal-title',
        oncancel: (event) => {
          event.preventDefault()
          close(false)
        },
      })
      document.body.append(dialog)
      dialog.showModal()
    }
    draw(dialog, view)
  }
}
