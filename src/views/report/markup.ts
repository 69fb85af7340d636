import { clean } from '../kit.ts'

/** Piece of HTML or SVG that is safe to stand in a page. */
export type Markup = { readonly markup: string }

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Makes untrusted text fit for an element or a quoted attribute. */
export const escapeHtml = (text: string): string =>
  clean(text).replaceAll(/[&<>"']/g, (found) => entities[found] ?? '')

type Value = string | number | Markup | readonly Markup[]

const written = (value: Value): string =>
  typeof value === 'string'
    ? escapeHtml(value)
    : typeof value === 'number'
      ? String(Math.round(value * 100) / 100)
      : 'markup' in value
        ? value.markup
        : value.map(({ markup }) => markup).join('')

/** Writes markup: whatever is put into it is escaped, unless it is markup itself. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Markup => ({
  markup: parts
    .map((part, index) => part + (index < values.length ? written(values[index] ?? '') : ''))
    .join(''),
})

export const nothing: Markup = { markup: '' }

export const joined = (all: readonly Markup[]): Markup => ({
  markup: all.map(({ markup }) => markup).join(''),
})
