/** Logging in and out, and what people do about themselves. */
import { z } from 'zod'
import { idOf, pageOf } from '../resources/common.ts'
import { token, tokenCreate, tokenCreated } from '../resources/token.ts'
import {
  login,
  loginMethods,
  me,
  meChange,
  passwordChange,
  secondFactorBegun,
  secondFactorCode,
  secondFactorConfirmed,
  secondFactorRemoval,
  session,
} from '../resources/user.ts'
import { defineRoute, listQuery } from './define-route.ts'

const tag = 'session'
const own = { permission: 'self', tag } as const

export const sessionRoutes = {
  getHealth: defineRoute({
    method: 'GET',
    path: '/api/v1/health',
    permission: 'public',
    tag,
    summary: { en: 'Whether the server answers', zh: '服务器是否响应' },
    response: { 200: z.object({ status: z.literal('ok') }) },
  }),
  getLoginMethods: defineRoute({
    method: 'GET',
    path: '/api/v1/login',
    permission: 'public',
    tag,
    summary: { en: 'How one can log in', zh: '可用的登录方式' },
    response: { 200: loginMethods },
  }),
  login: defineRoute({
    method: 'POST',
    path: '/api/v1/login',
    permission: 'public',
    tag,
    rate: 'login',
    summary: { en: 'Log in with name and password', zh: '使用用户名和密码登录' },
    body: login,
    response: { 200: me },
  }),
  startOidcLogin: defineRoute({
    method: 'GET',
    path: '/api/v1/login/oidc/{provider}',
    permission: 'public',
    tag,
    rate: 'login',
    summary: { en: 'Log in at an identity provider', zh: '通过身份提供方登录' },
    params: z.strictObject({ provider: z.string().min(1).max(128) }),
    query: z.strictObject({
      to: z
        .string()
        .max(2048)
        .regex(/^\/(?!\/)/)
        .optional(),
    }),
    response: { 302: null },
  }),
  endOidcLogin: defineRoute({
    method: 'GET',
    path: '/api/v1/login/oidc/{provider}/callback',
    permission: 'public',
    tag,
    rate: 'login',
    summary: { en: 'Return from the identity provider', zh: '身份提供方回调' },
    params: z.strictObject({ provider: z.string().min(1).max(128) }),
    query: z.record(z.string().max(64), z.string().max(4096)),
    response: { 302: null },
  }),
  logout: defineRoute({
    method: 'POST',
    path: '/api/v1/logout',
    ...own,
    summary: { en: 'End this session', zh: '退出登录' },
    response: { 204: null },
  }),
  getMe: defineRoute({
    method: 'GET',
    path: '/api/v1/me',
    ...own,
    summary: { en: 'Who is logged in', zh: '当前用户' },
    response: { 200: me },
  }),
  changeMe: defineRoute({
    method: 'PATCH',
    path: '/api/v1/me',
    ...own,
    summary: { en: 'Change name and address', zh: '修改个人信息' },
    body: meChange,
    response: { 200: me },
  }),
  changePassword: defineRoute({
    method: 'POST',
    path: '/api/v1/me/password',
    ...own,
    rate: 'login',
    summary: { en: 'Change the password', zh: '修改密码' },
    body: passwordChange,
    response: { 204: null },
  }),
  beginSecondFactor: defineRoute({
    method: 'POST',
    path: '/api/v1/me/totp',
    ...own,
    secret: true,
    summary: { en: 'Begin to set up a second factor', zh: '开始设置第二因素' },
    response: { 200: secondFactorBegun },
  }),
  confirmSecondFactor: defineRoute({
    method: 'POST',
    path: '/api/v1/me/totp/confirm',
    ...own,
    rate: 'login',
    secret: true,
    summary: { en: 'Confirm the second factor with a code', zh: '用验证码确认第二因素' },
    body: secondFactorCode,
    response: { 200: secondFactorConfirmed },
  }),
  removeSecondFactor: defineRoute({
    method: 'POST',
    path: '/api/v1/me/totp/remove',
    ...own,
    rate: 'login',
    summary: { en: 'Remove the second factor', zh: '移除第二因素' },
    body: secondFactorRemoval,
    response: { 204: null },
  }),
  listMySessions: defineRoute({
    method: 'GET',
    path: '/api/v1/me/sessions',
    ...own,
    summary: { en: 'Own sessions', zh: '本人的会话' },
    response: { 200: z.object({ items: z.array(session) }) },
  }),
  endMySession: defineRoute({
    method: 'DELETE',
    path: '/api/v1/me/sessions/{sessionId}',
    ...own,
    summary: { en: 'End one of the own sessions', zh: '结束本人的某个会话' },
    params: z.strictObject({ sessionId: z.string().min(1).max(128) }),
    response: { 204: null },
  }),
  listMyTokens: defineRoute({
    method: 'GET',
    path: '/api/v1/me/tokens',
    permission: 'token.self',
    tag,
    list: true,
    summary: { en: 'Own API tokens', zh: '本人的 API 令牌' },
    query: listQuery({ sorts: ['name', 'createdAt', 'expiresAt'] }),
    response: { 200: pageOf(token) },
  }),
  createMyToken: defineRoute({
    method: 'POST',
    path: '/api/v1/me/tokens',
    permission: 'token.self',
    tag,
    secret: true,
    summary: { en: 'Make an API token; its text is shown once', zh: '创建 API 令牌(仅显示一次)' },
    body: tokenCreate,
    response: { 201: tokenCreated },
  }),
  revokeMyToken: defineRoute({
    method: 'DELETE',
    path: '/api/v1/me/tokens/{tokenId}',
    permission: 'token.self',
    tag,
    summary: { en: 'Revoke one of the own tokens', zh: '吊销本人的令牌' },
    params: z.strictObject({ tokenId: idOf('token') }),
    response: { 204: null },
  }),
} as const
