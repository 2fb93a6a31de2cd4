/**
 * Typed messages. A folder has messages/en.ts (the catalogue), messages/zh-cn.ts (a Translation of
 * it: a key that is missing does not compile) and messages/text.ts, which joins both:
 *
 *     export const jobsMessages = defineMessages('jobs', { en, zhCn })
 *
 * and a component says `const text = useText(jobsMessages)`, `text('title')`,
 * `text('selected', { count: 3 })`. Parameters are typed by the {{names}} of the English text; a
 * pair `x_one` and `x_other` is one key `x` with a count, and Chinese has `x_other` alone.
 */
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import { i18n } from './i18n.ts'

type Catalogue = Readonly<Record<string, string>>

/** What the other language must have: every key, but one form of plural only. */
export type Translation<En extends Catalogue> = {
  readonly [K in keyof En as K extends `${string}_one` ? never : K]: string
}

/** Keys as they are asked for. */
export type KeyOf<En> = keyof {
  [K in keyof En & string as K extends `${infer Base}_one` | `${infer Base}_other` ? Base : K]: true
} &
  string

type TextOf<En, K extends string> = K extends keyof En
  ? En[K]
  : `${K}_other` extends keyof En
    ? En[`${K}_other`]
    : string
type NamesIn<Text> = Text extends `${string}{{${infer Name}}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never
type Value<Name> = Name extends 'count' ? number : string | number
type Parameters<Text> = [NamesIn<Text>] extends [never]
  ? []
  : [parameters: { readonly [N in NamesIn<Text> & string]: Value<N> }]

export interface Messages<En extends Catalogue> {
  readonly namespace: string
  /** Never read; carries the type of the catalogue. */
  readonly en: En
}

export type Text<En extends Catalogue> = <K extends KeyOf<En>>(
  key: K,
  ...parameters: Parameters<TextOf<En, K>>
) => string

/** @param namespace name of the folder; two of the same name would overwrite each other */
export function defineMessages<const En extends Catalogue>(
  namespace: string,
  catalogues: { readonly en: En; readonly zhCn: Translation<NoInfer<En>> },
): Messages<En> {
  i18n.addResourceBundle('en', namespace, catalogues.en)
  i18n.addResourceBundle('zh-CN', namespace, catalogues.zhCn)
  return { namespace, en: catalogues.en }
}

/** Renders anew when the language changes. */
export function useText<En extends Catalogue>({ namespace }: Messages<En>): Text<En> {
  const { t } = useTranslation(namespace, { i18n })
  return useCallback(
    (key, ...[parameters]) => t(key as string, parameters as Record<string, unknown>),
    [t],
  )
}

/** True for a key of the catalogue: for values of the server that a newer one may have more of. */
export function hasKey<En extends Catalogue>({ en }: Messages<En>, key: string): key is KeyOf<En> {
  return Object.hasOwn(en, key)
}
