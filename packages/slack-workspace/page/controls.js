/** Buttons, menus and inputs: https://docs.slack.dev/reference/block-kit/block-elements */
import { askConfirm } from './confirm.js'
import { h } from './dom.js'
import { icon } from './icons.js'
import { isHarmless } from './mentions.js'
import { plainOf, textNode } from './text.js'

const optionsOf = (element) =>
  element.options ?? (element.option_groups ?? []).flatMap((group) => group.options)
const optionValue = (option) => option?.value ?? ''

/** Returns what the element holds before anybody touched it. */
const initialOf = (element) =>
  element.initial_options?.map(optionValue) ??
  element.initial_value ??
  element.initial_user ??
  element.initial_channel ??
  element.initial_conversation ??
  element.initial_date ??
  element.initial_time ??
  (element.initial_option ? optionValue(element.initial_option) : null)

/** One press at a time; the control stays where it is and keeps the focus meanwhile. */
async function act({ node, element, block, value = element.value }, surface) {
  if (node.getAttribute('aria-busy') === 'true') return
  if (element.confirm && !(await askConfirm(element.confirm, surface.store))) return
  node.setAttribute('aria-busy', 'true')
  try {
    await surface.press(element, block, value)
  } finally {
    node.removeAttribute('aria-busy')
  }
}

function button(element, block, surface) {
  const complaint = surface.complaint(element.action_id)
  const node = h(
    'button',
    {
      type: 'button',
      class: ['control', element.style].filter(Boolean).join(' '),
      'data-action': element.action_id,
      'data-focus': keyOf(element, block),
      'aria-label': element.accessibility_label,
      onclick: () => {
        if (element.url && isHarmless(element.url)) window.open(element.url, '_blank', 'noreferrer,noopener')
        // Its value as it was shown: the message may be another one by the time it is confirmed.
        act({ node, element, block }, surface)
      },
    },
    plainOf(element.text),
  )
  if (!complaint) return node
  return h(
    'span',
    { class: 'complained' },
    node,
    h('span', { class: 'complaint', role: 'alert' }, icon('warning'), ` ${complaint}`),
  )
}

function menuOptions(element, surface) {
  const option = (entry) => h('option', { value: entry.value }, plainOf(entry.text))
  switch (element.type) {
    case 'users_select':
      return surface.store.data.users
        .filter(surface.store.mayAct)
        .map((user) => h('option', { value: user.id }, user.realName))
    case 'channels_select':
    case 'conversations_select':
      return surface.store
        .myChannels()
        .filter((channel) => channel.kind !== 'im')
        .map((channel) => h('option', { value: channel.id }, `#${channel.name}`))
    default:
      return element.option_groups
        ? element.option_groups.map((group) =>
            h('optgroup', { label: plainOf(group.label) }, group.options.map(option)),
          )
        : (element.options ?? []).map(option)
  }
}

function menu(element, block, surface, props = {}) {
  const placeholder = plainOf(element.placeholder) || (element.type === 'overflow' ? '⋯' : 'Choose')
  const node = h(
    'select',
    {
      class: 'control',
      'data-action': element.action_id,
      'data-focus': keyOf(element, block),
      'aria-label': props.id ? null : placeholder,
      ...props,
    },
    h('option', { value: '' }, placeholder),
    menuOptions(element, surface),
  )
  node.value = held(element, block, surface) ?? ''
  return node
}

/** An action id is unique in its block only. */
const keyOf = (element, block) => `${block.block_id} ${element.action_id}`
const held = (element, block, { values }) =>
  values.has(keyOf(element, block)) ? values.get(keyOf(element, block)) : initialOf(element)

const severals = new Set(['checkboxes', 'multi_static_select'])
const isChoices = (element) => element.type === 'radio_buttons' || severals.has(element.type)

/** Radio buttons, checkboxes, and a menu of which several may be taken. */
function choices(element, block, surface, { onchange, ...props }) {
  const several = severals.has(element.type)
  const chosen = [held(element, block, surface)].flat()
  return h(
    'fieldset',
    {
      'data-action': element.action_id,
      'aria-label': props['aria-labelledby'] ? null : plainOf(element.placeholder) || 'Choose',
      ...props,
    },
    optionsOf(element).map((option) =>
      h(
        'label',
        null,
        h('input', {
          type: several ? 'checkbox' : 'radio',
          name: `${block.block_id}-${element.action_id}`,
          value: option.value,
          checked: chosen.includes(option.value),
          onchange: ({ target }) => {
            const boxes = [...target.closest('fieldset').querySelectorAll('input:checked')]
            onchange(several ? boxes.map((box) => box.value) : target.value, target.closest('fieldset'))
          },
        }),
        ' ',
        textNode(option.text, surface.store),
        option.description
          ? h('span', { class: 'faint' }, ' ', textNode(option.description, surface.store))
          : null,
      ),
    ),
  )
}

const typed = {
  plain_text_input: 'text',
  number_input: 'text',
  email_text_input: 'email',
  url_text_input: 'url',
  datepicker: 'date',
  timepicker: 'time',
}

function field(element, block, surface, props) {
  const shared = {
    'data-action': element.action_id,
    'data-focus': keyOf(element, block),
    placeholder: plainOf(element.placeholder) || null,
    autocomplete: 'off',
    ...props,
  }
  const node = element.multiline
    ? h('textarea', { rows: 4, ...shared })
    : h('input', {
        type: typed[element.type],
        inputmode: element.type === 'number_input' ? 'decimal' : null,
        ...shared,
      })
  node.value = held(element, block, surface) ?? ''
  return node
}

/** A control in a section or actions block: using it tells the app. */
export function controlNode(element, block, surface) {
  if (element.type === 'button') return button(element, block, surface)
  if (isChoices(element)) {
    return choices(element, block, surface, {
      onchange: (value, node) => {
        surface.values.set(keyOf(element, block), value)
        act({ node, element, block, value }, surface)
      },
    })
  }
  if (element.type in typed) {
    return field(element, block, surface, {
      onchange: ({ target }) => {
        surface.values.set(keyOf(element, block), target.value)
        act({ node: target, element, block, value: target.value }, surface)
      },
    })
  }
  const node = menu(element, block, surface, {
    onchange: async () => {
      const { value } = node
      if (element.type === 'overflow') node.value = ''
      else surface.values.set(keyOf(element, block), value)
      if (value) await act({ node, element, block, value }, surface)
    },
  })
  return node
}

/** An element of an input block: it only holds a value until the modal is submitted. */
export function inputNode(element, block, surface, { id, describedBy }) {
  const props = { id, 'aria-describedby': describedBy, 'aria-invalid': describedBy ? 'true' : null }
  const keep = (value) => surface.values.set(keyOf(element, block), value === '' ? null : value)
  if (isChoices(element)) {
    return choices(element, block, surface, { ...props, 'aria-labelledby': `${id}-label`, onchange: keep })
  }
  if (element.type in typed)
    return field(element, block, surface, { ...props, oninput: ({ target }) => keep(target.value) })
  const node = menu(element, block, surface, { ...props, onchange: () => keep(node.value) })
  return node
}
