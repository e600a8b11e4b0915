"""The greeter: greets the shop's customers over gRPC."""
from concurrent import futures

import grpc
import shop_pb2
import shop_pb2_grpc

import names


class Greeter(shop_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):
        # names.greeting(request.name) knows the words.
        return shop_pb2.GreetReply()


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    shop_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    server.add_insecure_port("0.0.0.0:50051")
    server.start()
    print("Listening on 50051")
    server.wait_for_termination()


if __name__ == "__main__":
    main()
