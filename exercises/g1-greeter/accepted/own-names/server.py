"""Another style: handlers made by hand, without generated base classes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import names
import shop_pb2
from grpc_reflection.v1alpha import reflection


def greet(customer, context):
    if customer.who.strip():
        return shop_pb2.Words(text=names.greeting(customer.who))
    context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
    context.set_details("a name is needed")
    return shop_pb2.Words()


def farewell(customer, context):
    return shop_pb2.Words(text=names.farewell(customer.who), points=customer.how_many_orders * 5)


def handler(function):
    return grpc.unary_unary_rpc_method_handler(function, shop_pb2.Customer.FromString, shop_pb2.Words.SerializeToString)


server = grpc.server(ThreadPoolExecutor(64))
handlers = {"Greet": handler(greet), "Farewell": handler(farewell)}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.v1.Greeter", handlers)])
reflection.enable_server_reflection(("shop.v1.Greeter",), server)
server.add_insecure_port("0.0.0.0:50051")
server.start()
threading.Event().wait()
