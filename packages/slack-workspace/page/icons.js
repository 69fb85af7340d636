/** The page's own signs, as drawings: not every machine has a font with emoji. */
const shapes = {
  eye: 'M1 8s2.500-4.500 7-4.500S15 8 15 8s-2.500 4.500-7 4.500S1 8 1 8z M8 10.200a2.200 2.200 0 100-4.400 2.200 2.200 0 000 4.400z',
  reply: 'M2 3h12v8H8l-3.500 3v-3H2z',
  lock: 'M3.500 7h9v7h-9z M5.500 7V5a2.500 2.500 0 015 0v2',
  menu: 'M2 4h12 M2 8h12 M2 12h12',
  close: 'M3.500 3.500l9 9 M12.500 3.500l-9 9',
  send: 'M2.500 2.500l11.500 5.500-11.500 5.500 1.500-5.500z M4 8h5',
  check: 'M3 8.500l3.500 3.500L13 4.500',
  server: 'M2.500 3h11v4h-11z M2.500 9h11v4h-11z M5 5h.200 M5 11h.200',
  bolt: 'M9 1.500L3.500 9H8l-1 5.500L12.500 7H8z',
  file: 'M4 1.500h5l3.500 3.500v9.500h-8.500z M9 1.500v3.500h3.500',
  warning: 'M8 2l6.500 11.500h-13z M8 6.500v3.500 M8 11.800v.2',
}

/** Decoration only: the words beside it, or the control's label, say what it means. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(space, 'svg')
  for (const [key, value] of Object.entries({
    viewBox: '0 0 16 16',
    class: 'sign-icon',
    'aria-hidden': 'true',
  })) {
    svg.setAttribute(key, value)
  }
  const path = document.createElementNS(space, 'path')
  path.setAttribute('d', shapes[name])
  svg.append(path)
  return svg
}
