import { bold, type View } from '../kit.ts'
import { codeParts, compose, lines } from './page.ts'

/** One helpful sentence; what to type stands in backticks. */
export const problemView = (sentence: string): View => compose('pg-marshal', [lines(codeParts(sentence))])

/** A cluster that cannot be asked: never to be mistaken for "all clear". */
export const failureView = (cluster: string, reason: string): View =>
  compose(`Cannot see ${cluster}`, [
    lines(
      [bold(`Cannot see ${cluster}: `), `${reason.replace(/\.$/, '')}.`],
      ['This says nothing about how it is doing. pg-marshal keeps trying.'],
    ),
  ])
