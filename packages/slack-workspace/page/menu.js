/** On a narrow screen the channels come over the conversation on demand, and go when one turns elsewhere. */

import { find } from './dom.js'

const button = () => find(document, '.menu-button')

export function showMenu(isOpen) {
  document.body.classList.toggle('menu-open', isOpen)
  button()?.setAttribute('aria-expanded', String(isOpen))
}
const isOpen = () => document.body.classList.contains('menu-open')

export function toggleMenu() {
  showMenu(!isOpen())
  if (isOpen()) find(document, '#sidebar select')?.focus()
}

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !isOpen()) return
  showMenu(false)
  button()?.focus()
})
document.addEventListener('pointerdown', ({ target }) => {
  if (isOpen() && !(target instanceof Element && target.closest('#sidebar, .menu-button'))) showMenu(false)
})
