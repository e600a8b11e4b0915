"""Another style: one thread, a coroutine for each call."""

import asyncio
import os

import grpc
import httpx
import shop_pb2
import shop_pb2_grpc
from grpc_reflection.v1alpha import reflection


class Greeter(shop_pb2_grpc.GreeterServicer):
    def __init__(self, client):
        self.client = client

    async def words(self, what, name, context):
        if name.strip() == "":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "who are you?")
        answer = await self.client.post(f"/{what}", json={"name": name})
        answer.raise_for_status()
        return answer.json()["text"]

    async def Greet(self, request, context):
        return shop_pb2.GreetReply(message=await self.words("greeting", request.name, context))

    async def Farewell(self, request, context):
        text = await self.words("farewell", request.name, context)
        return shop_pb2.FarewellReply(message=text, bonus=5 * request.orders)


async def main():
    async with httpx.AsyncClient(base_url=os.environ["NAMES_URL"], timeout=60) as client:
        server = grpc.aio.server()
        shop_pb2_grpc.add_GreeterServicer_to_server(Greeter(client), server)
        reflection.enable_server_reflection(["shop.v1.Greeter", reflection.SERVICE_NAME], server)
        server.add_insecure_port("[::]:50051")
        await server.start()
        await server.wait_for_termination()


asyncio.run(main())
