"""Which sentences are spoken: drawn from the tools' templates, and others that mean nothing to them."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from hassil.expression import Alternative, Expression, Group, ListReference, Permutation, TextChunk
from hassil.parse_expression import parse_sentence

from voice_node.local.intents import Intents
from voice_node.local.needs import Match
from voice_node.local.slots import Span, Values, read_slot
from voice_node.settings.tools import Tool


def draw(tools: Sequence[Tool], count: int, seed: int) -> list[tuple[str, Match]]:
    """Different sentences and what they mean: every tool in turn, every template of it alike."""
    chance = random.Random(seed)
    intents = Intents(tools, "en")
    names = {tool.name for tool in tools}
    drawn: dict[str, Match] = {}
    tries = 0
    while len(drawn) < count and tries < 50 * count:
        tool = tools[tries % len(tools)]
        tries += 1
        text = " ".join(_say(parse_sentence(chance.choice(tool.sentences)).expression, tool, chance).split())
        meaning = intents.match(text, names)
        if meaning is not None:  # "light the fire" says neither on nor off: it would be asked
            drawn.setdefault(text, meaning)
    return list(drawn.items())


def _say(expression: Expression, tool: Tool, chance: random.Random) -> str:
    match expression:
        case TextChunk(text=text):
            return text
        case ListReference():
            return _value(tool.parameters["properties"][expression.slot_name], chance)
        case Alternative(items=items):
            return _say(chance.choice(items), tool, chance)
        case Permutation(items=items):
            return " ".join(_say(item, tool, chance) for item in chance.sample(items, len(items)))
        case Group(items=items):
            return "".join(_say(item, tool, chance) for item in items)
        case _:
            raise TypeError(expression)


def _value(schema: Mapping[str, Any], chance: random.Random) -> str:
    match read_slot(dict(schema), str):
        case Values(choices):
            return chance.choice(choices)[0]
        case Span(start, stop, step):
            return str(chance.choice(range(start, stop + 1, step)))
        case why:
            raise ValueError(why)


OUTSIDE = tuple(
    line
    for line in """
my sister told me about the wedding
we should go to the beach this weekend
did you hear what happened at work today
the bus was late again this morning
i can not find my glasses anywhere
she said she would call back after lunch
there is a new restaurant on the corner
have you finished your homework yet
the doctor told me to drink more water
they are building a new bridge over the river
i forgot to buy milk on the way home
what do you think about the election
our neighbours have a very loud dog
my father used to work on a farm
let us meet at the station at noon
the teacher gave us too much to read
it rained for three days without a break
i have never been to south america
please pass me the salt and the pepper
who is going to pick up the children
the company announced its results on friday
he plays the guitar in a small band
i would rather stay at home tonight
the police are looking for two witnesses
can you believe how expensive it was
this soup needs a little more garlic
my phone battery died in the middle of the call
she has been learning french for two years
the train to london leaves from platform nine
we watched a film about the second world war
i think he is angry with me
do not forget your umbrella
the cat is sleeping on the sofa again
how was your flight from new york
you should have seen his face
our holiday was cancelled because of the storm
it is not my fault that the glass broke
the president will speak to the nation this evening
i had a strange dream last night
maybe we can paint the fence next summer
he scored two goals in the final minute
my grandmother makes wonderful apple pie
there were thousands of people in the street
the museum is closed on mondays
could you help me carry these boxes
i need to renew my passport before march
our internet has been slow all week
she works as a nurse in the city hospital
the price of petrol has gone up again
he would not listen to anything i said
we are thinking of moving to the country
the concert starts at half past eight
who left the dirty dishes in the sink
my brother is afraid of spiders
the plane landed two hours late
there is nothing good on television tonight
he told the same joke three times
what a beautiful day it is
it takes an hour to get to the airport
the students asked a lot of questions
i will send you the pictures tomorrow
she broke her arm when she was seven
the meeting was moved to next wednesday
my car makes a funny noise when i brake
we ran out of coffee this morning
did you remember to feed the fish
the winner takes it all
you never told me about your new job
it was so cold that the lake froze
i am reading a book about the history of rome
the baby has been crying all afternoon
do you want sugar in your tea
they got married in a little church
he lost his wallet at the football match
the weather forecast for tomorrow is sunny with light winds
welcome back to the evening news
in other news the stock market fell by three percent
this programme is brought to you by our sponsors
call now and get the second one for free
thank you very much
good evening everybody
no i do not think so
yes that is exactly what i mean
oh my goodness look at that
well i was going to say the same thing
one two three testing
hello how are you today
see you later
come here please
what did you say
leave me alone
that is enough for today
are you coming or not
happy birthday to you
wait for me
i love you
where are my keys
the kitchen smells wonderful today
we painted the bedroom last summer
she left the living room without a word
the light in this picture is beautiful
i saw a light at the end of the tunnel
he was standing in the garden in the rain
the office was empty when i arrived
we need new curtains for the bathroom
the music was so loud that i could not sleep
time is money as they say
what is the matter with you
what is the capital of france
turn around and look at me
turn left at the next corner
set the table for four people
open the window it is hot in here
close your eyes and count to ten
start the car we are late
stop making that noise
play with your brother
cancel my appointment with the dentist
dinner is ready come to the table
the movie last night was terrible
my fan club has twenty members
the temperature outside is below zero
it is thirty degrees in the shade in madrid
she turned off the main road
he switched jobs twice last year
make me a sandwich
clean your room before you go out
the robot in the film was funny
how cold was it in the mountains
what is the name of that song
i set my alarm for six
the volume of trade has doubled
the blinds in the shop were too expensive
the shutters were painted green
she made the bed and opened the curtains yesterday
we had a party with fifty guests
good night sweetheart
twenty two degrees is too warm for me
the price was reduced by fifty percent
in a minute i will be there
the next song is my favourite
who turned the lights off yesterday
are the lights in the office still on
i never switch off my computer
turn on the charm
turn down the offer
turn on the coffee machine
turn off the oven
switch on the television
switch off the radio
turn on the garage light
turn off the cellar lights
switch on the balcony light
turn the attic light off
lights on in the basement
switch the stairs light on
dim the bathroom lights a bit
set the nursery lights to pink
make the kitchen light orange
turn the bedroom light black
open the garage
open the front door
close the gate
close the fridge
open the bottle in the kitchen
stop the washing machine
lock the back door
set the oven to two hundred degrees
heat the soup for me
set the fridge to five degrees
make the pool thirty degrees
how warm is it in paris
what is the temperature in the oven
set an alarm for seven o'clock
set a reminder for tomorrow
start the dishwasher
start the engine
cancel the order
stop the car
play some jazz
play the piano
pause for a moment
play the previous game
skip this chapter
set the volume to maximum
turn the page
turn it around
turn the key twice
activate the alarm system
switch to channel five
start the coffee machine
vacuum the car
clean the windows
clean the dog
turn on the heater
switch the toaster on
what day is it
what is the weather
what is the date tomorrow
what is the score
""".splitlines()
    if line
)
