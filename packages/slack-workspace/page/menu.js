/** On a narrow screen the channels come over the conversation on demand, and go when one turns elsewhere. */

const button = () => document.querySelector('.menu-button')

export function showMenu(isOpen) {
  document.body.classList.toggle('menu-open', isOpen)
  button()?.setAttribute('aria-expanded', String(isOpen))
}
const isOpen = () => document.body.classList.contains('menu-open')

export function toggleMenu() {
  showMenu(!isOpen())
  if (isOpen()) document.querySelector('#sidebar select')?.focus()
}

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !isOpen()) return
  showMenu(false)
  button()?.focus()
})
document.addEventListener('pointerdown', ({ target }) => {
  if (isOpen() && !target.closest('#sidebar, .menu-button')) showMenu(false)
})
