/** Returns the text of the blocks, a line each, with plain spaces. */
export const told = (value: unknown): string => linesOf(value).replaceAll('\u00a0', ' ')

function linesOf(value: unknown): string {
  const texts = (part: unknown): string =>
    typeof part !== 'object' || part === null
      ? ''
      : Array.isArray(part)
        ? part.map(texts).join('')
        : 'user_id' in part
          ? `@${part.user_id}`
          : part && 'type' in part && part.type === 'date'
            ? '(time)'
            : typeof Reflect.get(part, 'text') === 'string'
              ? String(Reflect.get(part, 'text'))
              : [Reflect.get(part, 'text'), Reflect.get(part, 'elements')].map(texts).join('')
  const lines = (block: Record<string, unknown>): string[] =>
    block.type === 'rich_text' || block.type === 'rich_text_list'
      ? (block.elements as Record<string, unknown>[]).flatMap(lines)
      : block.type === 'actions'
        ? [
            (block.elements as unknown[])
              .map(
                (element) => `[${(element as { type: string }).type === 'overflow' ? '⋯' : texts(element)}]`,
              )
              .join(' '),
          ]
        : [texts(block)]
  return (value as Record<string, unknown>[]).flatMap(lines).join('\n')
}
