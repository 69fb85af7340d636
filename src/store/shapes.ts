import { z } from 'zod'

/** Parts of the shapes of stored documents. A shape has the fields of a type of the domain, one by one. */

/** One schema for each field of a type: a field that is forgotten, or that is none, does not compile. */
export type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> }

export const object = <T>(fields: Fields<T>) => z.object(fields) as z.ZodType<T>

/** The same for a union whose members differ by the word in one field: one that is forgotten does not compile either. */
export type Members<T, Tag extends keyof T> = {
  readonly [K in T[Tag] & string]: T extends unknown
    ? K extends T[Tag]
      ? Fields<Omit<T, Tag>>
      : never
    : never
}

export function union<T, Tag extends keyof T & string>(tag: Tag, members: Members<T, Tag>): z.ZodType<T> {
  const schemas = Object.entries<z.ZodRawShape>(members).map(([name, fields]) =>
    z.object({ ...fields, [tag]: z.literal(name) }),
  )
  return z.discriminatedUnion(tag, schemas as [z.ZodObject]) as z.ZodType<T>
}

/** Each word of a type, so that none is forgotten. */
export const oneOf = <T extends string>(words: Readonly<Record<T, 1>>) =>
  z.enum(Object.keys(words) as T[]) as z.ZodType<T>

export const anyText = z.string()
export const textByKey = z.record(z.string(), z.string())
export const number = z.number()
export const flag = z.boolean()
export const orNull = <T>(schema: z.ZodType<T>) => schema.nullable()
export const listOf = <T>(schema: z.ZodType<T>): z.ZodType<readonly T[]> => z.array(schema)
