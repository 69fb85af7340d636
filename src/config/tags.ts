import { z } from 'zod'
import { templateProblem } from '../domain/text/tagLinks.ts'
import { commonTagKeys, type TagSettings } from '../domain/text/tags.ts'
import { configSection } from './parts.ts'

const most = 20
const keysHint = `Write a list of at most ${most} keys of comments, like [application, route]; [] shows none.`
const linkHint = 'Write keys with addresses, like traceparent: "https://trace.example.com/{trace_id}".'

const key = z.string({ error: keysHint }).regex(/^[A-Za-z][\w.-]{0,39}$/, {
  error: 'Write a key as it stands in comments: a letter, then letters, digits, _, . and -, at most 40.',
})

export const tags = configSection({
  keys: z.array(key, { error: keysHint }).max(most, { error: keysHint }).optional(),
  link: z.record(z.string(), z.string({ error: linkHint }), { error: linkHint }).optional(),
}).transform(({ keys: given, link = {} }, context): TagSettings => {
  const keys = [...new Set(given ?? commonTagKeys)]
  for (const [name, template] of Object.entries(link)) {
    const problem = keys.includes(name)
      ? templateProblem(template, keys)
      : `This key is not shown. Those that are: ${keys.join(', ')}.`
    if (problem) context.addIssue({ code: 'custom', path: ['link', name], message: problem })
  }
  return { keys, links: link }
})

export const usualTags: TagSettings = { keys: commonTagKeys, links: {} }
