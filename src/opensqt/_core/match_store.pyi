from typing import final

@final
class RestingOrders: ...
