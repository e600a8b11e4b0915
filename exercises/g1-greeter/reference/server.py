"""The greeter: greets the shop's customers over gRPC."""

from concurrent import futures

import grpc
import names
import shop_pb2
import shop_pb2_grpc
from grpc_reflection.v1alpha import reflection

BONUS_FOR_AN_ORDER = 5


def require_name(request, context):
    if not request.name.strip():
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "name must not be empty")


class Greeter(shop_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):
        require_name(request, context)
        return shop_pb2.GreetReply(message=names.greeting(request.name))

    def Farewell(self, request, context):
        require_name(request, context)
        return shop_pb2.FarewellReply(
            message=names.farewell(request.name),
            bonus=request.orders * BONUS_FOR_AN_ORDER,
        )


def main():
    # A call holds its thread while it waits for `names`, so there must be a thread for every call.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=40))
    shop_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    service = shop_pb2.DESCRIPTOR.services_by_name["Greeter"].full_name
    reflection.enable_server_reflection((service, reflection.SERVICE_NAME), server)
    server.add_insecure_port("0.0.0.0:50051")
    server.start()
    print("Listening on 50051")
    server.wait_for_termination()


if __name__ == "__main__":
    main()
