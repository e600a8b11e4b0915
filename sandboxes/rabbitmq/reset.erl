VHost = <<"/">>,
User = <<"soty">>,
[rabbit_networking:close_connection(Pid, "the sandbox is being reset") || Pid <- rabbit_networking:connections()],
[rabbit_amqqueue:delete(Queue, false, false, User) || Queue <- rabbit_amqqueue:list(VHost)],
[rabbit_exchange:delete(Name, false, User) || {resource, _, exchange, Text} = Name <- rabbit_exchange:list_names(), Text =/= <<>>, binary:longest_common_prefix([Text, <<"amq.">>]) < 4],
[rabbit_policy:delete(VHost, proplists:get_value(name, Policy), User) || Policy <- rabbit_policy:list(VHost)],
clean.
