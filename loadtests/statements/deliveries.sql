-- What the load of deliveries needs beside delivery itself.

-- name: make_desk
-- Where the owner's consequences are kept: each end of an order once.
CREATE TABLE public.delivered (number bigint CONSTRAINT delivered_once PRIMARY KEY);
GRANT SELECT, INSERT ON public.delivered TO kopeck_services;

-- name: settle
-- The consequence of an order's end.
INSERT INTO public.delivered (number) VALUES ($1);

-- name: count_states
-- How many orders stand in each state.
SELECT state, count(*) AS orders FROM delivery.outgoing GROUP BY state;

-- name: list_delivered
-- Keys of the orders that are done and whose consequence is written.
SELECT o.key FROM delivery.outgoing o JOIN public.delivered d ON d.number = o.number WHERE o.state = 2;

-- name: count_attempts
-- How many attempts all orders took.
SELECT sum(attempts)::bigint FROM delivery.outgoing;
