// The same over TLS, with the key in an SSM parameter, which it requests while the function starts.
import https from 'node:https'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { passThrough } from './pass_through.mjs'

const parameter = { Name: process.env.OPENAI_API_KEY_PARAMETER, WithDecryption: true }
const read = new SSMClient().send(new GetParameterCommand(parameter))

export const handler = passThrough(https, async () => (await read).Parameter.Value)
